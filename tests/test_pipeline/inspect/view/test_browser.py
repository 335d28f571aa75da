"""The viewer in a browser."""

import browsing
import numpy as np
import pytest
import tinystore

from pipeline import exclusions, store

LAST = 107


@pytest.fixture(scope="module")
def browser():
    with browsing.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return tinystore.make_store(tmp_path_factory.mktemp("view") / "tiny.zarr", size=32, blends=False)


@pytest.fixture(scope="module")
def marks_file(tmp_path_factory):
    return tmp_path_factory.mktemp("marks") / "bad.csv"


@pytest.fixture(scope="module")
def address(location, marks_file):
    with browsing.viewer(location, marks_file) as found:
        yield found


@pytest.fixture
def page(browser, address, request):
    with browsing.opened(browser, address + getattr(request, "param", "")) as found:
        found.wait_for_selector("body[data-ready]")
        yield found


def shown(page):
    """Return the row in the URL, once it is drawn."""
    page.wait_for_function(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => true)"
    )
    return int(dict(part.split("=") for part in page.url.split("#")[1].split("&"))["row"])


def test_paging_by_keys_and_by_buttons_to_the_last_row(page):
    page.keyboard.press("ArrowRight")
    assert shown(page) == 1
    page.keyboard.press("PageDown")
    assert shown(page) == 61
    page.keyboard.press("End")
    assert shown(page) == LAST
    assert page.locator(".thumb[aria-current]").get_attribute("data-row") == str(LAST)
    assert page.get_by_label("Last row").is_disabled()
    page.get_by_label("First row").click()
    assert shown(page) == 0
    page.keyboard.press("ArrowDown")
    assert shown(page) == 3, "the next video"
    page.get_by_label("Place among the rows shown").fill("40")
    assert shown(page) == 40


@pytest.mark.parametrize(
    "page", ["#view=face&row=1000000", "#view=nonsense&row=x&opacity=-4", "#row=-3"], indirect=True
)
def test_an_address_that_makes_no_sense_shows_a_row_all_the_same(page):
    assert 0 <= shown(page) <= LAST
    assert page.locator("#pane img").count()


def test_filters_show_what_fits_and_the_row_stays_in_the_address(page, location):
    columns = store.read_columns(store.open_group(location))
    page.get_by_label("Method").select_option("Swap")
    page.get_by_label("Compression").select_option("c40")
    wanted = np.flatnonzero((columns["method"] == 1) & (columns["compression"] == 1))
    assert shown(page) == wanted[0]
    assert page.locator("#count").inner_text() == f"1 of {len(wanted)} of 108 rows"
    assert [int(each.get_attribute("data-row")) for each in page.locator(".thumb").all()] == wanted.tolist()
    page.keyboard.press("Escape")
    page.locator(".thumb").nth(4).click()
    assert shown(page) == wanted[4]
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert shown(page) == wanted[4]
    assert page.locator("#count").inner_text() == f"5 of {len(wanted)} of 108 rows"


@pytest.mark.parametrize("page", ["#view=face&row=7"], indirect=True)
def test_every_array_is_an_overlay_with_opacity(page):
    names = page.locator("#layers label span:nth-of-type(2)").all_inner_texts()
    assert names == ["ssim", "mask", "noise", "hull", "boundary", "landmarks"]
    for number in range(1, 7):
        page.keyboard.press(str(number))
    page.wait_for_selector(".big .points circle")
    assert page.locator(".big .over").count() == 5
    assert page.locator(".big .points circle").count() == 68
    page.keyboard.press("-")
    assert page.locator(".big .over").first.evaluate("each => each.style.opacity") == "0.45"
    page.keyboard.press("0")
    page.wait_for_selector(".big .over", state="detached")
    assert all(page.evaluate("() => [...document.images].map(each => each.complete && each.naturalWidth > 0)"))


@pytest.mark.parametrize("page", ["#view=pair&row=7"], indirect=True)
def test_the_slider_divides_a_pair(page):
    page.get_by_label("Real left of the line").fill("80")
    assert page.locator(".two").evaluate("each => each.style.getPropertyValue('--cut')") == "80%"
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.wait_for_function("() => document.querySelector('.two').style.getPropertyValue('--cut') === '0%'")
    assert "real, row 1" in page.locator(".caption").inner_text()


def test_views_by_key_and_the_way_back(page):
    for key, name in zip("fpvrg", ("Face", "Pair", "Video", "Rejects", "Grid"), strict=True):
        page.keyboard.press(key)
        page.wait_for_selector(f"nav button[aria-current]:text-is('{name}')")
    page.go_back()
    page.wait_for_selector("nav button[aria-current]:text-is('Rejects')")
    assert page.locator("tbody tr").count() == 2
    page.get_by_label("Search").fill("decode")
    page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 1")
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="real/c23/test0.mp4").click()
    page.wait_for_selector("nav button[aria-current]:text-is('Video')")
    assert "real/c23/test0.mp4: 3 faces" in page.locator("#pane").inner_text()


@pytest.mark.parametrize("page", ["#view=face&row=9"], indirect=True)
def test_a_row_is_marked_bad_with_a_note_and_taken_back(page, marks_file):
    page.keyboard.press("b")
    page.wait_for_selector("#mark[aria-pressed=true]")
    page.keyboard.press("n")
    page.keyboard.type("two people")
    with page.expect_response("**/marks/9"):
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_label("marked bad only").check()
    assert shown(page) == 9
    assert page.locator("#count").inner_text() == "1 of 1 of 108 rows"
    (line,) = exclusions.read(marks_file)
    assert (line.note, line.about["row"]) == ("two people", "9")
    page.get_by_role("button", name="Marked bad").click()
    page.wait_for_selector("#mark[aria-pressed=false]")
    assert exclusions.read(marks_file) == ()


def test_the_keys_are_told(page):
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog", name="Keys").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", browsing.SIZES)
@pytest.mark.parametrize("view", ["grid", "face", "pair", "video", "rejects"])
def test_everything_has_a_name_and_fits(browser, address, view, size, scheme):
    with browsing.opened(browser, f"{address}#view={view}&row=7&show=ssim", size, scheme) as page:
        page.wait_for_selector("body[data-ready]")
        page.wait_for_selector("#pane :is(img, table)")
        assert page.evaluate(browsing.NAMELESS) == []
        assert page.evaluate(browsing.TOO_WIDE) <= 0
