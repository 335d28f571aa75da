"""The page about a store."""

import re

import pytest
import tinystore

from pipeline import store
from pipeline.inspect.page.write import write

SECTIONS = ("card", "counts", "coverage", "distributions", "agreement", "gallery", "pairs", "blends")
COUNTS = {"rows": 108, "faces": 18, "videos": 36, "blends": 72, "rejected_rows": 4, "without_label": {"mask": 3}}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    location = tinystore.make_store(folder / "tiny.zarr")
    title = "<script>alert(1)</script>"
    store.open_group(location, "r+").attrs.update(
        {"manifest": {"title": title, "licence": "https://example.org/licence"}, "counts": COUNTS, "limit": None}
    )
    write(location, folder / "new" / "report.html")
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
    write(str(page.parents[1] / "tiny.zarr"), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_the_command_writes_the_page_or_the_sheet(page, prep, tmp_path):
    location = page.parents[1] / "tiny.zarr"
    assert prep("report", "--store", location, "--page", tmp_path / "a.html").status == 0
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert prep("report", "--store", location, "--sheet", tmp_path / "a.png").status == 0
    assert (tmp_path / "a.png").is_file()
