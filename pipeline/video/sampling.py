"""Frame selection within a video."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Sampling


def choose(count: int, wanted: int, sampling: Sampling, seed: int) -> NDArray[np.int64]:
    """Choose which of a video's frames are taken.

    Parameters
    ----------
    count : int
        Presented frames of the video.
    wanted : int
        Frames asked for; a shorter video gives all it has. `stride` and `all` do not use it.
    sampling : Sampling
        `method` and `stride`.
    seed : int
        Of this video; for `random` alone.

    Returns
    -------
    ndarray of shape (n,), int64
        Increasing indexes below `count`.

    Examples
    --------
    >>> choose(10, 4, Sampling(), 0)
    array([0, 3, 6, 9])
    """
    return METHODS[sampling.method](count, min(wanted, count), sampling, seed)


def subset(frames: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Take `wanted` of the frames, shape (n,), evenly spaced with both ends; all if there are fewer."""
    return frames[_even(len(frames), min(wanted, len(frames)))]


def _even(count: int, wanted: int) -> NDArray[np.int64]:
    if wanted <= 1:
        return np.full(max(wanted, 0), max(count - 1, 0) // 2, np.int64)
    steps = np.arange(wanted, dtype=np.int64)
    # integers, so that no rounding of a float depends on the machine; steps are >= 1 apart, so never twice the same
    return (2 * steps * (count - 1) + wanted - 1) // (2 * (wanted - 1))


def _random(count: int, wanted: int, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng([seed]).choice(count, wanted, replace=False)).astype(np.int64)


METHODS: dict[str, Callable[[int, int, Sampling, int], NDArray[np.int64]]] = {
    "even": lambda count, wanted, sampling, seed: _even(count, wanted),
    "random": lambda count, wanted, sampling, seed: _random(count, wanted, seed),
    "stride": lambda count, wanted, sampling, seed: np.arange(0, count, sampling.stride, dtype=np.int64),
    "all": lambda count, wanted, sampling, seed: np.arange(count, dtype=np.int64),
}
