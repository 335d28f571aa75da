"""Labels and blends made again: nothing else is touched, old and new never mix, and a kill changes nothing."""

import dataclasses
import signal

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.config import Blending, Labelling, Levels, Recipe
from pipeline.errors import ConfigError, StoreError
from pipeline.inspect import info
from pipeline.inspect.verify import verify
from pipeline.labels import LABELS
from pipeline.stages.renewal import _changed, reblend, relabel
from pipeline.stages.run import run

OTHER = Labelling(
    ssim_threshold=Levels(40.0, 60.0, 90.0),
    hull_gamma=Levels(30.0, 30.0, 30.0),
    noise_sigma=Levels(3.0, 3.0, 3.0),
    threshold="measured",
)
OTHER_FILE = '[labelling]\nthreshold = "measured"\n' + "".join(
    f"[labelling.{name}]\n" + "".join(f"{level} = {value}\n" for level, value in dataclasses.asdict(levels).items())
    for name, levels in (
        ("ssim_threshold", OTHER.ssim_threshold),
        ("hull_gamma", OTHER.hull_gamma),
        ("noise_sigma", OTHER.noise_sigma),
    )
)
PIXELS = ("image", *LABELS)


@pytest.fixture(scope="module")
def afresh(tiny, tmp_path_factory, scheduler):
    """Return the same made from the videos with the other label parameters."""
    location = tmp_path_factory.mktemp("afresh") / "other.zarr"
    run(tiny.job(location, labelling=OTHER), scheduler=scheduler)
    return location


def others(location, *kinds):
    return stores.times(location, *[name for name in PIXELS if name not in kinds])


@pytest.mark.parametrize("kind", LABELS)
def test_a_kind_alone_gives_the_same_bytes_and_touches_no_other(kind, tiny, tiny_store, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    kept, old = others(location, kind, *("boundary",) * (kind == "hull")), stores.times(location, kind)
    relabel(location, [kind], tiny.root, scheduler=scheduler)
    stores.assert_same(location, tiny_store)
    assert others(location, kind, *("boundary",) * (kind == "hull")) == kept
    new = stores.times(location, kind)
    assert all(new[name] > old[name] for name in old), "it was computed again"


def test_other_parameters_give_what_a_run_with_them_gives(tiny, tiny_store, afresh, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    kept = stores.times(location, "image", "mask")
    recipe = dataclasses.replace(tiny.recipe, labelling=OTHER)
    relabel(location, ["ssim", "noise", "hull"], tiny.root, recipe=recipe, scheduler=scheduler)
    stores.assert_same(location, afresh)
    assert stores.times(location, "image", "mask") == kept
    assert not np.array_equal(stores.pixels(location, "ssim"), stores.pixels(tiny_store, "ssim"))
    assert not np.array_equal(stores.pixels(location, "boundary"), stores.pixels(tiny_store, "boundary"))
    columns = stores.columns(location)
    for video in np.unique(columns["video_id"]):
        found = columns["video_threshold"][columns["video_id"] == video]
        np.testing.assert_array_equal(found, found[0], "compressions share the label, and so the threshold")
    assert verify(location, scheduler=scheduler) == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["labels", "check labels"])
def test_killed_while_relabelling_old_and_new_never_mix(
    stage, tiny, tiny_store, afresh, tmp_path, scheduler, start, prep
):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    (tmp_path / "tiny.toml").write_text(tiny.recipe_file.read_text() + OTHER_FILE)
    kinds = ["--kind", "ssim", "--kind", "noise", "--kind", "hull"]
    command = ["labels", *kinds, "--store", location, "--root", tiny.root]
    process = start(*command, "--recipe", tmp_path / "tiny.toml", "--workers", 1, killed_at=(stage, 2))
    _, complaint = process.communicate(timeout=200)
    assert process.returncode == -signal.SIGKILL, complaint
    found = verify(location, scheduler=scheduler)
    assert found == ["the store is unfinished: run the command that began it again"]
    group = store.open_group(location)
    told = store.attributes_of(group)["digests"]
    for kind in LABELS:
        array = store.array_of(group, kind)
        made_with = [
            name
            for name, at in (("old", tiny_store), ("new", afresh))
            if _parameters(at, kind) == _parameters(location, kind)
        ]
        assert made_with, kind
        sources = {"old": tiny_store, "new": afresh}
        for number in set(range(store.shard_count(array))) - set(store.missing_shards(array)):
            values = store.read(array, slice(*store.shard_rows(array, number)))
            of = stores.pixels(sources[made_with[-1]], kind)[slice(*store.shard_rows(array, number))]
            np.testing.assert_array_equal(values, of, err_msg=f"{kind} holds others than its parameters say")
        assert kind not in told or told[kind] in [
            store.attributes_of(store.open_group(str(at)))["digests"][kind] for at in (tiny_store, afresh)
        ]
    if stage == "labels":  # the run with the new recipe may finish it just as well
        job = tiny.job(location, labelling=OTHER)
        run(job, scheduler=scheduler)
    else:
        said = prep(*command, "--scheduler", scheduler)
        assert (said.status, said.out) == (0, "")
    stores.assert_same(location, afresh)


def _parameters(location, kind):
    return store.attributes_of(store.array_of(store.open_group(str(location)), kind))["parameters"]


def test_faces_with_too_few_changed_pixels_become_real(tiny, tiny_store, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    rows, before = stores.columns(tiny_store), stores.pixels(tiny_store, "ssim")
    fake = rows["method"] != 0
    counts = (before == 1).sum(axis=(1, 2))
    minimum = int(np.median(counts[fake]))
    recipe = dataclasses.replace(tiny.recipe, labelling=Labelling(ssim_minimum=minimum))
    relabel(location, ["ssim"], tiny.root, recipe=recipe, scheduler=scheduler)
    after, ssim = stores.columns(location), stores.pixels(location, "ssim")
    turned = fake & (counts < minimum)
    assert 0 < turned.sum() < fake.sum()
    np.testing.assert_array_equal(after["label"], fake & ~turned)
    assert not ssim[turned].any()
    np.testing.assert_array_equal(ssim[~turned], before[~turned])
    for name in set(rows) - {"label", "background", "agreement_ssim"}:  # follow from the ssim label
        np.testing.assert_array_equal(after[name], rows[name], err_msg=name)
    for kind in set(PIXELS) - {"ssim"}:
        np.testing.assert_array_equal(stores.pixels(location, kind), stores.pixels(tiny_store, kind), err_msg=kind)
    assert info.summary(location).counts["relabelled_real"] == turned.sum()
    used = stores.columns(location, "blend")["inside"]
    assert not turned[used].any(), "no blend takes its inside from them"
    assert verify(location, scheduler=scheduler) == []


def test_a_kind_the_store_lacks_is_added_and_no_other_is(tiny, tiny_store, tmp_path, scheduler):
    location = tmp_path / "a.zarr"
    none = {"labelling": Labelling(kinds=("noise",)), "blending": Blending(kinds=())}
    run(tiny.job(location, limit=1, **none), scheduler=scheduler)
    assert [kind for kind in LABELS if kind in store.open_group(str(location))] == ["noise"]
    assert store.BLENDS not in store.open_group(str(location))
    np.testing.assert_array_equal(stores.columns(location)["label"], stores.columns(location)["method"] != 0)
    assert verify(str(location), scheduler=scheduler) == []
    with pytest.raises(StoreError, match="has no array hull; forgery-prep labels adds"):
        relabel(str(location), ["boundary"], tiny.root, scheduler=scheduler)
    kept = stores.times(location, "image", "noise")
    relabel(str(location), ["hull", "boundary"], tiny.root, scheduler=scheduler)
    relabel(str(location), ["mask", "ssim"], tiny.root, scheduler=scheduler)
    assert stores.times(location, "image", "noise") == kept
    assert [kind for kind in LABELS if kind in store.open_group(str(location))] == list(LABELS)
    assert verify(str(location), scheduler=scheduler) == []
    whole, part = (_places(at) for at in (tiny_store, location))
    same = [whole[place] for place in part]
    for kind in PIXELS:
        np.testing.assert_array_equal(
            stores.pixels(location, kind), stores.pixels(tiny_store, kind)[same], err_msg=kind
        )


def _places(location):
    """Return the row of every (file, frame)."""
    rows = stores.columns(location)
    places = zip(rows["video_path"][rows["video"]], rows["frame"].tolist(), strict=True)
    return {place: row for row, place in enumerate(places)}


def test_blends_made_again_are_the_same_and_touch_nothing(tiny, tiny_store, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    kept = stores.times(location, *PIXELS)
    reblend(location, scheduler=scheduler)
    stores.assert_same(location, tiny_store)
    assert stores.times(location, *PIXELS) == kept
    other = dataclasses.replace(tiny.recipe, blending=Blending(kinds=("rr",), per_frame=2))
    reblend(location, recipe=other, scheduler=scheduler)
    assert stores.times(location, *PIXELS) == kept
    made = stores.columns(location, "blend")
    assert set(made["kind"]) == {0}
    assert verify(location, scheduler=scheduler) == []


def test_what_cannot_be_is_refused_before_anything_is_touched(tiny, tiny_store, tmp_path):
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}
    with pytest.raises(ConfigError, match="no label kind depth; known are ssim"):
        relabel(str(tiny_store), ["ssim", "depth"], tiny.root)
    with pytest.raises(ConfigError, match=r"folder .*gone is not there; masks are read from it"):
        relabel(str(tiny_store), ["mask"], tmp_path / "gone")
    with pytest.raises(StoreError, match="There is no store"):
        relabel(str(tmp_path / "none.zarr"), ["ssim"], tiny.root)
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}


def test_another_recipe_changes_the_parameters_of_the_kinds_asked_for_alone():
    old = Labelling(kinds=("ssim", "hull"))
    other = Recipe(labelling=Labelling(ssim_window=7, hull_gamma=Levels(9.0, 9.0, 9.0), boundary_kernel=5))
    assert _changed(old, ["hull"], other) == dataclasses.replace(old, hull_gamma=Levels(9.0, 9.0, 9.0))
    measured = Recipe(labelling=dataclasses.replace(other.labelling, threshold="measured"))
    assert _changed(old, ["ssim"], measured) == dataclasses.replace(old, ssim_window=7, threshold="measured")
    assert _changed(old, ["hull"], measured).threshold == "table"
    assert _changed(old, ["boundary"], None) == dataclasses.replace(old, kinds=("ssim", "hull", "boundary"))


def test_every_parameter_of_a_label_is_named_after_its_kind():
    names = {about.name for about in dataclasses.fields(Labelling)} - {"kinds", "threshold"}
    assert {name.partition("_")[0] for name in names} == set(LABELS)
