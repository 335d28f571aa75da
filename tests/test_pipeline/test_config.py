"""Recipes: defaults in one place, every value checked, differences named."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RECIPES, Cropping, Recipe, Sampling, differences, digest, load_recipe, overlay
from pipeline.errors import ConfigError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_loads_and_bears_its_name(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert overlay(Recipe(), json.loads(json.dumps(recipe.to_dict())), "a store") == recipe


def test_a_recipe_stands_over_the_manifest_and_that_over_the_defaults(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("seed = 7\n[sampling]\nstride = 3\n[cropping]\nscale = 2\n")
    recipe = load_recipe(str(file), {"method": "all", "stride": 5})
    assert (recipe.name, recipe.seed) == ("mine", 7)
    assert recipe.sampling == dataclasses.replace(Sampling(), method="all", stride=3)
    assert recipe.cropping == dataclasses.replace(Cropping(), scale=2.0)
    assert type(recipe.cropping.scale) is float


def test_a_recipe_changes_its_base_and_each_dataset_its_own(tmp_path):
    base, mine = tmp_path / "base.toml", tmp_path / "mine.toml"
    base.write_text("seed = 7\n[cropping]\nsize = 64\nscale = 2\n[datasets.a.cropping]\nsize = 65\n")
    mine.write_text(f'base = "{base.as_posix()}"\n[cropping]\nscale = 3\n[datasets.b.cropping]\nsize = 66\n')
    found = {dataset: load_recipe(str(mine), None, dataset) for dataset in ("", "a", "b")}
    assert {dataset: recipe.cropping.size for dataset, recipe in found.items()} == {"": 64, "a": 65, "b": 66}
    assert {(recipe.name, recipe.seed, recipe.cropping.scale) for recipe in found.values()} == {("mine", 7, 3.0)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets = 3", "datasets must be a table"),
        ("[datasets.a]\ncroping = 3", "datasets.a: no setting is called croping"),
        ("[datasets]\na = 3", "datasets.a must be a table"),
        ("[croping]\nsize = 5", "no setting is called croping; known are"),
        ("[cropping]\nsice = 5", "cropping: no setting is called sice"),
        ("[cropping]\nsize = 'big'", "must be a whole number, not 'big'"),
        ("[cropping]\nsize = true", "must be a whole number, not True"),
        ("[cropping]\nscale = nan", "scale is nan; it must be at least 1.0 and at most 4.0"),
        ("[blending]\ncolour_transfer = 1", "colour_transfer must be true or false, not 1"),
        ("[cropping]\nsize = 8", "size is 8; it must be at least 32 and at most 2048"),
        ("[cropping]\nfit = 'oval'", "fit is 'oval'; it must be one of square, letterbox"),
        ("cropping = 3", "cropping must be a table"),
        ("[labelling]\nkinds = 'ssim'", "kinds must be a list of names"),
        ("[labelling]\nkinds = [1]", "kinds must be a list of names"),
        ("seed = ", "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(tmp_path, text, sentence):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=sentence) as error:
        load_recipe(str(file))
    assert "wrong.toml" in str(error.value)


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(ConfigError, match=r"no recipe nonsense; known are .*default"):
        load_recipe("nonsense")


@given(PLAIN, PLAIN)
def test_digests_are_equal_exactly_where_values_are(one, other):
    assert (digest(one) == digest(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_a_digest_does_not_know_the_order_of_names():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


@given(st.dictionaries(st.text("ab", max_size=1), PLAIN), st.dictionaries(st.text("ab", max_size=1), PLAIN))
def test_differences_are_none_exactly_between_equals(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert not differences(one, one)
    assert not same or not differences(one, other)


def test_differences_name_the_setting_and_both_values():
    old, new = Recipe().to_dict(), dataclasses.replace(Recipe(), cropping=Cropping(size=64)).to_dict()
    assert differences({"recipe": old}, {"recipe": new}) == ["recipe.cropping.size (was 256, now 64)"]
    assert differences({"a": 1}, {}) == ["a (was 1, now none)"]
