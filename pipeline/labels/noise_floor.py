"""Noise floor of a pair: how much a fake differs from its real where nobody touched it, and the threshold above it.

A fake that was encoded again apart from its real differs from it everywhere. How much depends on encoder, quality and
texture, and stands in no table; outside the face it can be measured.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import at
from pipeline.labels.ssim import difference_map

QUIET = 0.9  # share of the surroundings that a threshold leaves unmarked
LEAST = 0.01  # share of the pixels compared that must be surroundings
LEVELS = 256  # of a difference map

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]  # fake crop, real crop, face region


def threshold(pairs: Iterable[Pair], settings: Labelling, level: str) -> float:
    """Choose the threshold of the `ssim` label from what a pair differs by outside the face.

    The threshold is the least grey level that at most a tenth of the surroundings exceed, taken over all crops
    together, and never below the table's.

    Why the 90th percentile: compression noise has no known distribution (its tail grows with texture and quantiser), so
    that no multiple of a deviation holds for it, and a percentile needs none. True pairs at c23 leave 7 % of the
    surroundings above the table's 13, so that they keep it. What a manipulation changes beyond the face region (hair, a
    patch's edge) is up to 9 % of the surroundings on the sample; it hardly moves the 90th percentile, but
    decides the 95th. The closing of the label then makes 12 % of 10 %, well below the quarter from which `verify`
    speaks of a row.

    Parameters
    ----------
    pairs : iterable of (fake, real, region)
        Crops of one fake and its real, uint8 of shape (H, W, 3), RGB; `trust.face_region`, (H, W), 1 = face.
    settings : Labelling
        `ssim_threshold` and `ssim_window`.
    level : str
        Compression of the pair: `raw`, `c23` or `c40`; decides the table's threshold.

    Returns
    -------
    float
        On the scale of 255 (1 - SSIM), 0 to 255. The table's where there are no surroundings to speak of, and where
        the face differs no more than they do: then it is not noise that is measured, and labels that cover everything
        are left for `trust` to withhold.
    """
    outside, inside = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    for fake, real, region in pairs:
        difference = difference_map(fake, real, settings.ssim_window)
        seen = (fake.max(axis=2) > 0) | (real.max(axis=2) > 0)  # padding, black in both, has no noise
        outside += np.bincount(difference[seen & (region == 0)], minlength=LEVELS)
        inside += np.bincount(difference[seen & (region == 1)], minlength=LEVELS)
    table = at(settings.ssim_threshold, level)
    if outside.sum() <= LEAST * (outside.sum() + inside.sum()):
        return table
    floor = _percentile(outside)
    return max(table, float(floor)) if _percentile(inside) > floor else table


def _percentile(counts: NDArray[np.int64]) -> int:
    """Return the least level that at most a tenth of the pixels exceed; `counts` has shape (256,)."""
    return int(np.searchsorted(np.cumsum(counts), QUIET * counts.sum()))
