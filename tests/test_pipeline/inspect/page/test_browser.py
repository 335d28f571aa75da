"""The page about a store in a browser, opened from disk."""

import browsing
import pytest
import tinystore

from pipeline import store
from pipeline.inspect.page.write import write

COUNTS = {"rows": 108, "faces": 18, "videos": 36, "blends": 72, "rejected_rows": 4, "without_label": {"mask": 3}}

DECODED = """async () => Promise.all([...document.images].map(
    each => { each.loading = "eager"; return each.decode().then(() => true); }))"""


@pytest.fixture(scope="module")
def browser():
    with browsing.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    location = tinystore.make_store(folder / "tiny.zarr", size=32)
    store.open_group(location, "r+").attrs.update({"manifest": {"title": "Tiny"}, "counts": COUNTS, "limit": None})
    write(location, folder / "report.html")
    return (folder / "report.html").as_uri()


def test_filters_and_sliders(browser, address):
    with browsing.opened(browser, address) as page:
        page.get_by_label("method").select_option("Swap")
        visible = page.locator("[data-method]:visible")
        assert visible.count()
        assert {each.get_attribute("data-method") for each in visible.all()} == {"Swap"}
        page.get_by_label("method").select_option("")
        assert page.locator("[data-method]:visible").count() == page.locator("[data-method]").count()
        slider = page.locator("input[type=range]").last
        slider.fill("90")
        cut = "each => each.closest('div').querySelector('.pair').style.getPropertyValue('--cut')"
        assert slider.evaluate(cut) == "90%"
        slider.press("ArrowLeft")
        assert slider.evaluate(cut) == "89%"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", browsing.SIZES)
def test_everything_has_a_name_and_fits(browser, address, size, scheme):
    with browsing.opened(browser, address, size, scheme) as page:
        page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        assert page.evaluate(browsing.NAMELESS) == []
        assert page.evaluate(browsing.TOO_WIDE) <= 0
        assert all(page.evaluate(DECODED))
