"""Every row of the papers' tables and what reproduces it, as a page of Markdown made from the presets."""

from collections.abc import Iterator, Mapping

from models.detectors.base import Detector
from models.detectors.protocol import Line, Preset

HEAD = """# The papers' tables, row by row

Made from the presets; a test holds it to them. `forgery-train --detector NAME --set preset=PRESET` trains a row;
`forgery-eval --checkpoint RUN/best.ckpt --preset PRESET --store ...` judges it on what its figures are of, and prints
"paper 88.96, here 87.1 [86.0, 88.2]" for each of them, with what is not the paper's. A preset marked *of X (SETTINGS)*
trains nothing: it is an evaluation of the network that preset X trains. Figures are the papers', on the papers' data; a
row without its own figures has those of the preset's other tables.
"""
COLUMNS = "| table | row | presets | paper | remark |\n|---|---|---|---|---|\n"


def page(detectors: Mapping[str, Detector]) -> str:
    """Return the page, one table for each detector whose paper has tables."""
    parts = [HEAD]
    for name, detector in detectors.items():
        if detector.tables:
            parts.append(f"\n## {name}\n\n{detector.paper}\n\n{COLUMNS}")
            parts += [f"| {' | '.join(_cells(line, detector.presets))} |\n" for line in detector.tables]
    return "".join(parts)


def unlisted(detector: Detector) -> list[str]:
    """Return the presets that no row of a table names: those of a paper's sections alone."""
    named = {name for line in detector.tables for name in line.presets}
    return [name for name in detector.presets if name not in named]


def _cells(line: Line, presets: Mapping[str, Preset]) -> Iterator[str]:
    yield line.table
    yield line.row.replace("|", "\\|")
    yield ", ".join(_named(name, presets[name]) for name in line.presets)
    yield "; ".join(filter(None, (_figures(line, presets[name]) for name in line.presets)))
    yield line.reason


def _named(name: str, preset: Preset) -> str:
    if not preset.of:
        return f"`{name}`"
    settings = f" ({', '.join(preset.values)})" if preset.values else ""
    return f"`{name}` *of {preset.of}{settings}*"


def _figures(line: Line, preset: Preset) -> str:
    """Return the preset's figures of the line's table, or where none is marked as that table's, its unmarked ones."""
    own = [figure.paper for figure in preset.figures if line.table in figure.table.split("; ")]
    return ", ".join(own or [figure.paper for figure in preset.figures if not figure.table])
