"""Parts of a dataset joined without its files: what one scan over all of them gives, or a refusal."""

import dataclasses
from pathlib import Path

import pytest

from pipeline.errors import LeakError, ManifestError
from pipeline.manifest import REAL, Dataset, Video, joined
from pipeline.manifest.splits import dealt

LISTED = {"name": "d", "splits": {"rule": "pair lists"}}
SEEDED = {"name": "d", "splits": {"rule": "seeded"}}


def videos(name, split="train", donor=""):
    real = Video(name, f"real/{name}.mp4", REAL, "raw", split, name, name)
    return real, Video(f"{name}_x", f"fake/{name}.mp4", "Alpha", "raw", split, name, name, donor)


def part(*found, manifest=LISTED, **more):
    return Dataset("d", Path("d"), tuple(found), manifest, **more)


def test_videos_are_in_the_order_of_a_scan_and_what_another_part_has_is_not_missing():
    one = part(*videos("b"), missing=(("c", "listed"), ("z", "listed")), lost=frozenset({"c", "z"}), notes=("a note",))
    other = part(*videos("c"), *videos("a", "test"), missing=(("y", "mask"), ("z", "listed")), notes=("a note",))
    found = joined([one, other], 0)
    assert found == joined([other, one], 0)
    assert [video.id for video in found.videos] == ["b", "b_x", "c", "c_x", "a", "a_x"]
    assert found.missing == (("y", "mask"), ("z", "listed"))
    assert (found.lost, found.notes) == ({"z"}, ("a note",))


def test_leaks_between_parts_are_fatal_unless_the_split_is_official():
    one, other = part(*videos("a")), part(*videos("b", "test", donor="a"))
    with pytest.raises(LeakError, match="Together the splits of d leak: fakes in test with a donor"):
        joined([one, other], 0)
    official = {"name": "d", "splits": {"rule": "pair lists", "leaks": "reported"}}
    told = joined([dataclasses.replace(each, manifest=official) for each in (one, other)], 0).notes
    assert told == (
        "The official split leaks: fakes in test with a donor whose own videos are in train: 1 (Alpha b_x (donor a)).",
    )


def test_splits_that_are_dealt_out_must_be_those_of_all():
    def deal(*names):
        found = [video for name in names for video in videos(name)]
        splits = dealt(found, SEEDED["splits"], 0)
        new = [dataclasses.replace(video, split=splits[video.method, video.id]) for video in found]
        return part(*new, manifest=SEEDED)

    people = [f"{number:02}" for number in range(12)]
    with pytest.raises(ManifestError, match=r"prepared together, \d+ of them would be in another split"):
        joined([deal(*people[:6]), deal(*people[6:])], 0)
    every = deal(*people).videos
    halves = [part(*(v for v in every if (v.target in people[:6]) == first), manifest=SEEDED) for first in (0, 1)]
    assert joined(halves, 0).videos == part(*joined([part(*every, manifest=SEEDED)], 0).videos).videos


def test_a_fake_whose_real_may_be_in_another_part_is_refused():
    real, fake = videos("a")
    alone = dataclasses.replace(fake, target="")
    with pytest.raises(ManifestError, match=r"1 fakes, the first fake/a\.mp4, were prepared without their real"):
        joined([part(alone, missing=((fake.path, "its real is not here"),)), part(real)], 0)
