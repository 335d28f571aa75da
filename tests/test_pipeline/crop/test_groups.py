"""Files gathered by the real video they come from."""

from pathlib import Path

from pipeline.crop.groups import groups
from pipeline.manifest import REAL, Dataset, Video


def dataset(*videos):
    return Dataset("d", Path("d"), tuple(videos), {"name": "d"})


def real(name, compression="raw"):
    return Video(name, f"{compression}/{name}", REAL, compression, "train", name, name)


def fake(name, target, compression="raw", method="Alpha"):
    return Video(name, f"{method}/{compression}/{name}", method, compression, "train", target, target)


def test_a_real_stands_with_all_its_fakes_least_compressed_first():
    videos = [
        fake("a_b", "a", "c40"), real("a", "c23"), fake("a_b", "a", "raw"), real("b"), real("a", "raw"),
        fake("a_b", "a", "c23", "Beta"),
    ]  # fmt: skip
    first, second = groups(dataset(*videos))
    assert (first.number, first.target, second.number, second.target) == (0, "a", 1, "b")
    assert [video.compression for video in first.reals] == ["raw", "c23"]
    assert [[v.compression for v in versions] for versions in first.fakes] == [["raw", "c40"], ["c23"]]
    assert [versions[0].method for versions in first.fakes] == ["Alpha", "Beta"]
    assert set(first.videos) | set(second.videos) == set(videos)
    assert first.videos[: len(first.reals)] == first.reals


def test_the_order_of_the_files_does_not_matter():
    videos = [real("b"), fake("b_a", "b"), real("a"), fake("a_b", "a"), fake("a_c", "a")]
    assert groups(dataset(*videos)) == groups(dataset(*videos[::-1]))


def test_unpaired_fakes_stand_alone_even_beside_a_real_of_their_name():
    found = groups(dataset(real("x"), fake("x", ""), fake("x", "", method="Beta"), fake("y", "")))
    assert [(len(group.reals), len(group.fakes)) for group in found] in ([(0, 1)] * 3 + [(1, 0)],)
    assert sorted(group.target for group in found) == ["x", "x", "x", "y"]
    assert [group.number for group in found] == [0, 1, 2, 3]
