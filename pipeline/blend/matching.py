"""Choice of blending partners: nearest landmarks among other identities of the same split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Blending
from pipeline.errors import ConfigError

KINDS = ("rr", "fr")  # (Real, Real) and (Fake, Real); their positions are the numbers stored and seeded with


@dataclass(frozen=True)
class Blend:
    """One blend of a store: the face of row `inside` (A) pasted into row `outside` (B)."""

    kind: str  # one of KINDS
    inside: int
    outside: int
    seed: int  # of the mask's random distortion


@dataclass(frozen=True)
class Rows:
    """Columns of a store that decide which rows can be blended; n rows.

    Attributes
    ----------
    landmarks : ndarray of shape (n, 68, 2), float32
        In crop pixels; NaN where there are none, which leaves the row out.
    genuine : ndarray of shape (n,), bool
        The row's method is `real`; such rows are backgrounds, and the insides of (Real, Real).
    fake : ndarray of shape (n,), bool
        The row's label is 1 and it has a paired real row; such rows are the insides of (Fake, Real).
    split, compression, identity, video : ndarray of shape (n,), int
        Numbers; a fake's identity is its target's. Rows of one video share the other three.
    """

    landmarks: NDArray[np.float32]
    genuine: NDArray[np.bool]
    fake: NDArray[np.bool]
    split: NDArray[np.integer]
    compression: NDArray[np.integer]
    identity: NDArray[np.integer]
    video: NDArray[np.integer]


@dataclass(frozen=True)
class _Pool:
    """Candidate insides of one split and compression, by video."""

    rows: NDArray[np.intp]  # a video's are neighbours
    starts: NDArray[np.intp]  # of each video in `rows`
    counts: NDArray[np.intp]
    identities: NDArray[np.integer]  # of each video


def plan(rows: Rows, settings: Blending, seed: int) -> list[Blend]:
    """Choose a partner for every real row, for each kind and `per_frame` times.

    The real row is the background B. Candidates for A are one random row of each of a random share of the videos of
    the same split and compression and of other identities: real videos for `rr`, fakes for `fr` (a fake shows its
    target's surroundings, so fakes of B's own person are left out). The candidate with the smallest sum over the
    landmarks of Euclidean distances to B's is taken. Rows without landmarks take no part, and where there is no
    other identity nothing is planned.

    Parameters
    ----------
    rows : Rows
    settings : Blending
        `kinds`, `per_frame`, `candidates`.
    seed : int
        Non-negative. Each draw is seeded with it, the kind, the row and the repeat alone.

    Returns
    -------
    list of Blend
        By background row, then kind, then repeat.

    Raises
    ------
    ConfigError
        A kind is not in `KINDS`.

    References
    ----------
    Chen et al., Watching the BiG artifacts, section 3.3. There A is drawn and B is searched for; here every real row
    serves equally often as background, and A is searched for.
    """
    if unknown := sorted(set(settings.kinds) - set(KINDS)):
        raise ConfigError(f"No kind of blend is called {', '.join(unknown)}; known are {', '.join(KINDS)}.")
    usable = np.isfinite(rows.landmarks).all(axis=(1, 2))
    inside = {"rr": rows.genuine & usable, "fr": rows.fake & usable}
    blends: list[Blend] = []
    group = np.stack([rows.split, rows.compression], axis=1)
    for key in np.unique(group, axis=0):
        here = (group == key).all(axis=1)
        pools = {kind: _pool(rows, here & inside[kind]) for kind in settings.kinds}
        for outside in np.flatnonzero(here & inside["rr"]).tolist():
            for kind in settings.kinds:
                for repeat in range(settings.per_frame):
                    rng = np.random.default_rng([seed, KINDS.index(kind), outside, repeat])
                    partner = _partner(rows, pools[kind], outside, settings.candidates, rng)
                    if partner is not None:
                        blends.append(Blend(kind, partner, outside, int(rng.integers(2**31))))
    return sorted(blends, key=lambda blend: blend.outside)  # stable: kinds and repeats stay in order


def _pool(rows: Rows, eligible: NDArray[np.bool]) -> _Pool:
    found = np.flatnonzero(eligible)
    found = found[np.argsort(rows.video[found], kind="stable")]
    _, starts, counts = np.unique(rows.video[found], return_index=True, return_counts=True)
    return _Pool(found, starts, counts, rows.identity[found[starts]])


def _partner(rows: Rows, pool: _Pool, outside: int, share: float, rng: np.random.Generator) -> int | None:
    others = np.flatnonzero(pool.identities != rows.identity[outside])
    if not len(others):
        return None
    videos = others[rng.choice(len(others), max(1, round(share * len(others))), replace=False, shuffle=False)]
    candidates = pool.rows[pool.starts[videos] + rng.integers(pool.counts[videos])]
    offsets = np.square(rows.landmarks[candidates] - rows.landmarks[outside])
    distances = np.sqrt(offsets[..., 0] + offsets[..., 1]).sum(axis=1)
    return int(candidates[np.argmin(distances)])
