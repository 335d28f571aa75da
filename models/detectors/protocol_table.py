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

Whoever has no licensed data can try it on the sample, whose methods are none of the papers', in seconds of training
(`--set methods=none` takes all of them; the figures of twenty steps mean nothing):

```
$ forgery-train --detector grnet --set preset=ffpp-c40 --set methods=none --set size=64 \\
      --batch-size 16 --steps 20 --no-pretrained
$ forgery-eval --checkpoint runs/grnet/best.ckpt --preset ffpp-c40 --compression c40
Beside the paper, preset ffpp-c40 (Table VII, LQ, binary); 95 % intervals over videos:
  frame accuracy on ffpp c40 test           paper 96.68, here 27.2 [11.5, 43.8]  (1, 2, 3, 4, 5)
  frame auc on celebdf Celeb-synthesis all  paper 72.7, here not measured: no store of celebdf  (6)
  (1) which videos the faces come from is not said: splits by video give lower figures than splits by face.
  (2) stores/sample.zarr is of sample; in the paper ffpp.
  (3) stores/sample.zarr has 12 frames of a real and 12 of a fake, evenly spaced; \
in the paper 72 frames of a real and 18 of a fake, evenly spaced.
  (4) fakes of Warp, Patch, Expression, Rerender; in the paper of Deepfakes, Face2Face, FaceSwap, NeuralTextures.
  (5) fakes are 80% of the frames; in the paper 50%.
  (6) 30,000 frames of each class at random.
The network is not the paper's:
  - trained on sample; in the paper on ffpp.
  - trained on fakes of every method; in the paper of Deepfakes, Face2Face, FaceSwap, NeuralTextures.
  - trained on 12 frames of a real and 12 of a fake, evenly spaced; \
in the paper 70 frames of a real and 18 of a fake, evenly spaced.
  - trained with other settings than the preset's, which are in brackets: size=64 (128), batch=16 (64).
  - training began with random weights; in the paper with ImageNet's.
  - training was stopped after 20 steps, before its first validation.
```

Of the papers' pictures, `forgery-eval --picture NAME` draws those of any store and checkpoint: `noise` and `sigma`
(locate, figures 3 and 4; of the label itself, where the paper trains a network for each sigma), `maps` and `features`
(locate, 5 and 6), `residuals` (grnet, 4, 5 and 10). `studies.png` has wavelet's figures 10 and 11, `roc.png` and
`robustness.png` the curves.
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
