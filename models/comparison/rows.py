"""Which of the rows judged are those of a paper's figure, and in what they are not the paper's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.comparison import sampling
from models.detectors.protocol import Preset, Rows
from models.evaluation.evaluate import EVERY, REAL, Bools, Evaluation, Judged, Request
from pipeline.errors import ConfigError, NotMeasuredError

NEAR = 0.02  # shares of fakes nearer than this are taken as the paper's


@dataclass(frozen=True)
class Measured:
    """Rows of a figure.

    Attributes
    ----------
    judged : Judged
        The condition that they were judged in.
    rows : ndarray of bool
        Which of its rows.
    remarks : tuple of str
        In what they differ from the paper's.
    """

    judged: Judged
    rows: Bools
    remarks: tuple[str, ...]


def known_datasets(preset: Preset) -> set[str]:
    """Return the datasets that a preset trains on or is measured on; raises ConfigError for one without any."""
    if preset.data is None:
        raise ConfigError("This preset is of no paper: there are no figures to put beside it.")
    return {preset.data.dataset, *(figure.rows.dataset for figure in preset.figures)}


def find(rows: Rows, preset: Preset, found: Evaluation, request: Request) -> Measured:
    """Return the rows judged that a figure is of.

    Without a store of the dataset that the preset trains on, those of datasets that it does not name stand in for it,
    and are said to.

    Raises
    ------
    NotMeasuredError
        There are none.
    """
    judged = _condition(rows, found)
    table = judged.condition.table
    chosen = _of_stores(rows, preset, found)[table.store]
    if not chosen.any():
        raise NotMeasuredError(f"no store of {rows.dataset}")
    chosen &= (table.split == rows.split) | (rows.split == EVERY)
    if not chosen.any():
        raise NotMeasuredError(f"no row of the split {rows.split} of {rows.dataset} was judged")
    held = sorted(set(table.compression[chosen].tolist()))
    if rows.compression in held:
        chosen &= table.compression == rows.compression
    fakes, lacking = _methods(rows, preset, found, judged, chosen)
    chosen &= np.isin(table.method.astype(str), [REAL, *fakes])
    stores = sorted(set(table.store[chosen].tolist()))
    remarks = [*_of_each_store(rows, found, request, stores)]
    if rows.compression not in held and (rows.compression or len(held) > 1):
        remarks.append(f"compression {' and '.join(held)}; in the paper {rows.compression or 'as distributed'}")
    if lacking:
        remarks.append(lacking)
    share = float(table.label[chosen].mean())
    if rows.fakes and abs(share - rows.fakes) > NEAR:
        remarks.append(f"fakes are {share:.0%} of the frames; in the paper {rows.fakes:.0%}")
    return Measured(judged, chosen, tuple(remarks))


def _condition(rows: Rows, found: Evaluation) -> Judged:
    for judged in found.judged:
        if judged.condition.name == rows.condition:
            return judged
    raise NotMeasuredError(f"not judged under {rows.condition}")


def _of_stores(rows: Rows, preset: Preset, found: Evaluation) -> Bools:
    """Return for each store whether it is, or stands in for, a figure's dataset."""
    held = [reader.dataset for reader in found.readers]
    stands_in = preset.data is not None and preset.data.dataset == rows.dataset and rows.dataset not in held
    known = known_datasets(preset)
    return np.array([dataset == rows.dataset or (stands_in and dataset not in known) for dataset in held])


def _methods(rows: Rows, preset: Preset, found: Evaluation, judged: Judged, chosen: Bools) -> tuple[Sequence[str], str]:
    """Return the methods whose fakes are taken, and what to say of them."""
    table = judged.condition.table
    held = [name for name in dict.fromkeys(table.method[chosen].tolist()) if name != REAL]
    there = [name for name in rows.methods if name in held]
    if there:
        gone = [name for name in rows.methods if name not in held]
        return there, f"without fakes of {', '.join(gone)}" if gone else ""
    own = any(found.readers[number].dataset == rows.dataset for number in set(table.store[chosen].tolist()))
    whole = preset.data is not None and set(rows.methods) == set(preset.data.methods)
    if own or not whole or not held:
        raise NotMeasuredError(f"no fake of {', '.join(rows.methods)} among the rows judged")
    return held, f"fakes of {', '.join(held)}; in the paper of {', '.join(rows.methods)}"


def _of_each_store(rows: Rows, found: Evaluation, request: Request, stores: Sequence[int]) -> Iterator[str]:
    for number in stores:
        reader = found.readers[number]
        if reader.dataset != rows.dataset:
            yield f"{reader.location} is of {reader.dataset}; in the paper {rows.dataset}"
        if rows.split == EVERY and request.split_of(reader.dataset) != EVERY:
            yield f"the split {request.split_of(reader.dataset)} of {reader.location}; in the paper every video"
        if other := sampling.different(reader.recipe.sampling, rows.sampling, rows.split):
            yield f"{reader.location} has {other}"
    if request.frames:
        yield f"at most {request.frames} frames of each video were judged"
