"""Every row of every table has presets or a reason, and docs/protocols.md says so."""

import pytest
from places import ROOT

from models.detectors import DETECTORS
from models.detectors.protocol_table import page, unlisted

PAGE = ROOT / "docs" / "protocols.md"
ALL = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
TABLES = {"wavelet": 7, "grnet": 9, "locate": 8, "anticompression": 2, "bigarts": 8}
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
SECTIONS = {  # presets of a section of the text, or of a row that stands in two tables
    "wavelet": {"pixels"}, "anticompression": {"common-gt"}, "grnet": set(), "locate": set(), "bigarts": set(),
}  # fmt: skip


@ALL
def test_every_row_names_presets_that_exist_or_gives_a_reason(detector):
    for line in detector.tables:
        assert line.presets or line.reason, line
        assert set(line.presets) <= set(detector.presets), line


@ALL
def test_every_table_of_the_paper_is_there(detector):
    numbers = ROMAN if detector.name in ("wavelet", "grnet", "locate") else tuple(map(str, range(1, 10)))
    wanted = [f"Table {number}" for number in numbers[: TABLES[detector.name]]]
    assert list(dict.fromkeys(line.table for line in detector.tables)) == wanted


@ALL
def test_no_preset_is_forgotten(detector):
    assert set(unlisted(detector)) == SECTIONS[detector.name]


@ALL
def test_evaluations_are_of_presets_that_train(detector):
    for preset in detector.presets.values():
        assert not preset.of or not detector.presets[preset.of].of
        assert all(0 < figure.share <= 1 for figure in preset.figures)


def test_the_page_is_current():
    written = page(DETECTORS)
    assert PAGE.read_text(encoding="utf-8") == written, "write page(DETECTORS) to docs/protocols.md"
