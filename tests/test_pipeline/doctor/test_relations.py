"""Relations that a deep look at a dataset tells, without a store."""

import altered
import pytest

from pipeline.config import Detection, Recipe
from pipeline.crop import groups
from pipeline.doctor.relations import SAME, STILL, Related, finding, of_group, table
from pipeline.manifest import load_manifest, scan

FOUND = {
    "plain": SAME,
    "late": "shows frame i + 3",
    "mirrored": "mirrored",
    "stranger": "its surroundings are those of another video",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return scan(load_manifest("pairs"), altered.build(tmp_path_factory.mktemp("altered"), FOUND))


def test_relations_are_told_whatever_a_run_would_do(dataset):
    recipe = Recipe(detection=Detection(registration="follow"))
    (group,) = groups.groups(dataset)
    before = sorted(dataset.root.rglob("*"))
    found = {each.method: each for each in of_group(group, dataset.root, recipe, cropped=False)}
    assert {method: each.relation for method, each in found.items()} == FOUND
    assert found["late"].fake == "late_fake.mp4"
    assert found["late"].real == "real.mp4"
    assert sorted(dataset.root.rglob("*")) == before


def test_crops_have_no_surroundings_to_tell_by(dataset):
    (group,) = groups.groups(dataset)
    assert of_group(group, dataset.root, Recipe(), cropped=True) == []


def test_the_table_counts_true_pairs_and_names_every_other():
    found = [
        Related("a.mp4", "r.mp4", "swap", SAME),
        Related("b.mp4", "r.mp4", "swap", STILL),
        Related("c.mp4", "r.mp4", "swap", "mirrored"),
        Related("d.mp4", "r.mp4", "warp", SAME),
    ]
    header, swap, warp, other = table(found)
    assert header.split()[-1] == "other"
    assert swap.split() == ["swap", "1", "1", "1"]
    assert warp.split() == ["warp", "1", "0", "0"]
    assert other.split() == ["c.mp4", "mirrored"]
    (text,) = finding(found)
    assert text.startswith("1 fakes do not show their real frame by frame")
    assert "c.mp4" in text
    assert table([]) == list(finding([])) == []
