"""Pages driven in headless Chromium: the one that is installed, by Playwright, which brings none of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZES = {"wide": (1280, 820), "phone": (390, 844)}
NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, a[href], img, summary")]
    .filter(each => !each.closest("[hidden], dialog:not([open])") && each.checkVisibility())
    .filter(each => {
      const label = each.labels && [...each.labels].map(label => label.textContent).join(" ");
      const names = ["aria-label", "alt", "title"].map(name => each.getAttribute(name));
      if (each.tagName === "IMG" && each.hasAttribute("alt")) return false;  // one without a text is decoration
      return ![label, each.textContent, ...names].some(name => (name || "").trim());
    }).map(each => each.outerHTML)"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextlib.contextmanager
def chromium():
    """Yield a browser; skip where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        sandbox = [] if not hasattr(os, "geteuid") or os.geteuid() else ["--no-sandbox"]  # root has no sandbox
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, address, size="wide", scheme="light"):
    """Yield a page whose console stays empty and that asks nobody but its own server."""
    width, height = SIZES[size]
    said, asked = [], []
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert said == []
    own = address.split("#")[0].rsplit("/", 1)[0]
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []


@contextlib.contextmanager
def viewer(location, marks_file):
    """Serve a store as `forgery-prep view` does; yield the address."""
    program = Path(sys.executable).with_name("forgery-prep")
    command = [program, "view", "--store", location, "--bad", marks_file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        try:
            yield next(word for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()
