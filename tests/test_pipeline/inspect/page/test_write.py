"""The page about a store."""

import re
from pathlib import Path

import numpy as np
import pytest
import tinystore

from pipeline import store
from pipeline.inspect.page import apart, lost
from pipeline.inspect.page.write import write
from pipeline.store import Names
from pipeline.video import likeness
from pipeline.video.encode import write_video

SECTIONS = ("card", "counts", "coverage", "distributions", "apart", "agreement", "gallery", "pairs", "blends")
COUNTS = {"rows": 108, "faces": 18, "videos": 36, "blends": 72, "rejected_rows": 4, "without_label": {"mask": 3}}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    location = tinystore.make_store(folder / "tiny.zarr")
    title = "<script>alert(1)</script>"
    store.open_group(location, "r+").attrs.update(
        {"manifest": {"title": title, "licence": "https://example.org/licence"}, "counts": COUNTS, "limit": None}
    )
    root = folder / "data"
    pictures = [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(8)]
    write_video(root / "real" / "c23" / "test0.mp4", pictures, fps=25, crf=0)
    write(location, folder / "new" / "report.html", root)
    return folder / "new" / "report.html"


@pytest.fixture(scope="module")
def text(page):
    return page.read_text(encoding="utf-8")


def test_every_section_is_there_and_linked(text):
    for section in SECTIONS:
        assert f'<h2 id="{section}">' in text
        assert f'<a href="#{section}">' in text
    assert "does not decode" in text
    assert "3 rows have no mask label" in text
    assert text.count("<svg ") >= 10


def test_rejected_frames_are_shown_or_said_to_have_no_picture(text):
    assert re.search(
        r'<img src="data:image/jpeg[^"]+" height="120" loading="lazy" alt="real/c23/test0.mp4, frame 7">', text
    )
    assert "no picture: The video gone.mp4 does not exist" in text


def test_rejects_are_looked_for_in_a_folder_that_is_there(page, prep, tmp_path):
    said = prep("report", "--store", page.parents[1] / "tiny.zarr", "--root", tmp_path / "no", "--page", tmp_path / "a")
    assert said.status == 2
    assert "is not there" in said.err
    assert not (tmp_path / "a").exists()


def test_each_reason_has_its_turn_and_scores_do_not_part_them():
    scored = [f"no face was found (best scores 0.{number}; the threshold is 0.99)" for number in range(10, 60)]
    rejects = {
        "stage": np.array(["faces"] * 50 + ["probe"], dtype=object),
        "reason": np.array([*scored, "empty"], dtype=object),
        "rows": np.ones(51, np.int32),
        "video": np.array(["a.mp4"] * 50 + ["b.mp4"], dtype=object),
        "frame": np.array([*range(50), -1], np.int32),
    }
    assert lost.reasons(rejects) == [
        ("faces", "no face was found", 50, "a.mp4, frame 0"),
        ("probe", "empty", 1, "b.mp4"),
    ]
    shown = lost.pictures(rejects, Path("nowhere"))
    assert len(shown) == lost.SHOWN
    assert [each.frame for each in shown][:2] == [0, 2]
    assert shown[-1].place == "b.mp4"


def test_people_of_several_splits_are_named():
    columns = {
        "video": np.array([0, 0, 1, 2]),
        "method": np.array([1, 0, 0, 0]),
        "split": np.array([0, 0, 1, 1]),
        "video_identity": np.array(["ann", "ann", "bob"], dtype=object),
    }
    names = Names(method=("real",), compression=("native",), split=("train", "test"))
    (person,) = apart.people(columns, names)
    assert (person.name, person.rows) == ("ann", {"train": (1, 2), "test": (1, 1)})
    assert person.examples == {"train": 1, "test": 2}


def test_faces_that_look_alike_are_counted_and_those_across_splits_come_first():
    rng = np.random.default_rng(0)
    ours, theirs, other = (rng.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(3))
    prints = [likeness.fingerprint(each) for each in (ours, ours, theirs, theirs, other)]
    pairs, alike, crossing = apart.closest([*prints, ""], range(6), ["train", "train", "train", "test", "test", "val"])
    assert (alike, crossing) == (2, 1)
    assert [(pair.rows, pair.crosses) for pair in pairs[:2]] == [((2, 3), True), ((0, 1), False)]
    assert pairs[0].likeness > 0.999
    assert pairs[2].likeness < likeness.ALIKE


def test_nothing_is_loaded_from_elsewhere(text):
    assert not re.findall(r'(?:src|srcset|data|poster)="(?!data:)[^"]+"', text)
    assert not re.findall(r'<link [^>]*href="(?!data:)[^"]+"', text)
    assert not re.findall(r"url\((?!#)|@import", text)
    assert set(re.findall(r'(?:xlink:)?href="(?!#|data:)([^"]+)"', text)) == {"https://example.org/licence"}


def test_text_is_escaped(text):
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_size(page):
    assert page.stat().st_size < 15e6


def test_the_same_store_gives_the_same_page(page, text, tmp_path):
    write(str(page.parents[1] / "tiny.zarr"), tmp_path / "again.html", page.parents[1] / "data")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_the_command_writes_the_page_or_the_sheet(page, prep, tmp_path):
    location = page.parents[1] / "tiny.zarr"
    assert prep("report", "--store", location, "--page", tmp_path / "a.html").status == 0
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert prep("report", "--store", location, "--sheet", tmp_path / "a.png").status == 0
    assert (tmp_path / "a.png").is_file()
