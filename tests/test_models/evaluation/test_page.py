"""The page about a model."""

import json
import re

import browsing
import pytest
import torch
from tinystore import make_store
from toy import TOY

from models import detectors
from models.evaluation import page, report
from models.evaluation.evaluate import Request, evaluate
from models.training.loop import train
from models.training.setup import BEST, Job
from pipeline.errors import ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a toy's evaluation, with its page."""
    folder = tmp_path_factory.mktemp("run")
    location = make_store(folder / "tiny.zarr", size=32, strength=150)
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(detectors.DETECTORS, "toy", TOY)
        settings = TOY.parse(["epochs=4", "lr=0.05", "augment=off", "drops=none", "metric=loss"])
        train(Job((location,), TOY, settings, folder, device="cpu", pretrained=False))
        request = Request((location,), folder / BEST, perturb=("jpeg:60", "jpeg:90"), device="cpu", rounds=20)
        found = evaluate(request)
        report.write(found, folder / "eval")
        page.write(found, folder / "eval" / page.PAGE, page.others([folder, folder / "eval" / report.METRICS]))
    return folder / "eval"


@pytest.fixture(scope="module")
def text(folder):
    return (folder / page.PAGE).read_text(encoding="utf-8")


def test_every_group_stands_in_the_table_with_its_figures(folder, text):
    result = json.loads((folder / report.METRICS).read_text())
    for each in report.groups(result):
        assert f'<td class="n">{each["frame"]["auc"]:.4f}</td>' in text
        low, high = each["frame"].get("auc_interval", (None, None))
        assert low is None or f"{low:.3f}-{high:.3f}" in text
    assert text.count('<th scope="row">test c23 Swap</th>') == 2, "in figures and in runs compared"
    assert text.count("<svg ") == 2


def test_best_and_worst_have_map_and_grad_cam(text):
    for title in (
        "Worst fakes: lowest scores",
        "Worst reals: highest scores",
        "Best fakes: highest scores",
        "Best reals: lowest scores",
    ):
        assert f"<h3>{title}</h3>" in text
    for name in ("crop", "truth", "predicted", "Grad-CAM"):
        assert text.count(f"<figcaption>{name}</figcaption>") == 4 * page.SHOWN


def test_nothing_is_loaded_from_elsewhere(text):
    assert not re.findall(r'(?:src|srcset|data|poster)="(?!data:)[^"]+"', text)
    assert not re.findall(r"url\((?!#)|@import", text)


def test_what_cannot_be_compared_is_told(tmp_path):
    (tmp_path / "nonsense.json").write_text("[")
    for run, words in ((tmp_path, "holds no evaluation"), (tmp_path / "nonsense.json", "cannot be read")):
        with pytest.raises(ConfigError, match=words):
            page.others([run])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", browsing.SIZES)
def test_the_page_in_a_browser(folder, size, scheme):
    with (
        browsing.chromium() as browser,
        browsing.opened(browser, (folder / page.PAGE).as_uri(), size, scheme) as shown,
    ):
        assert shown.evaluate(browsing.NAMELESS) == []
        assert shown.evaluate(browsing.TOO_WIDE) <= 0
