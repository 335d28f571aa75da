"""Choice of blending partners: nearest landmarks among other identities of the same split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Blending
from pipeline.errors import ConfigError

KINDS = ("rr", "fr")  # (Real, Real) and (Fake, Real); their positions are the numbers stored and seeded with
NOBODY = -1  # donor of a real, or one without a video


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
    split, compression, identity, donor, video : ndarray of shape (n,), int
        Numbers; a fake's identity is its target's, `donor` the identity of the face it carries (`people`). Rows of one
        video share the other four.
    """

    landmarks: NDArray[np.float32]
    genuine: NDArray[np.bool]
    fake: NDArray[np.bool]
    split: NDArray[np.integer]
    compression: NDArray[np.integer]
    identity: NDArray[np.integer]
    donor: NDArray[np.integer]
    video: NDArray[np.integer]


@dataclass(frozen=True)
class _Pool:
    """Candidate insides of one split and compression, by video."""

    rows: NDArray[np.intp]  # a video's are neighbours
    starts: NDArray[np.intp]  # of each video in `rows`
    counts: NDArray[np.intp]
    identities: NDArray[np.integer]  # of each video
    donors: NDArray[np.integer]


def people(
    video_id: NDArray[Any], identity: NDArray[Any], donor: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return numbers of the people in videos, and of those whose faces the fakes carry.

    Parameters
    ----------
    video_id, identity, donor : ndarray of shape (videos,), str
        Columns of a store. A donor is named by an identity or by the id of one of his videos; empty for none.

    Returns
    -------
    identity, donor : ndarray of shape (videos,), int
        `NOBODY` for a donor who is in no video.
    """
    names, number = np.unique(identity.astype(str), return_inverse=True)
    number = number.reshape(-1)
    known = dict(zip(video_id.astype(str).tolist(), number.tolist(), strict=True))
    known |= {name: place for place, name in enumerate(names.tolist())}
    return number, np.array([known.get(name, NOBODY) if name else NOBODY for name in donor.astype(str).tolist()])


def plan(rows: Rows, settings: Blending, seed: int) -> list[Blend]:
    """Choose a partner for every real row, for each kind and `per_frame` times.

    The real row is the background B. Candidates for A are one random row of each of a random share of the videos of
    the same split and compression and of other identities: real videos for `rr`, fakes for `fr`. A fake is of two
    people: its target, whose surroundings it shows, is never B's own; its donor, whose face it carries, is not with
    `avoid_donor` while there are other fakes. The candidate with the smallest sum over the
    landmarks of Euclidean distances to B's is taken. Rows without landmarks take no part, and where there is no
    other identity nothing is planned.

    Parameters
    ----------
    rows : Rows
    settings : Blending
        `kinds`, `per_frame`, `candidates`, `avoid_donor`.
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
    serves equally often as background, and A is searched for. For (Real, Real) the paper looks into "real videos of
    other identities", for (Fake, Real) it uses "the same strategy"; which of a fake's two people is meant it does not
    say.
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
        others: dict[tuple[str, int], NDArray[np.intp]] = {}  # a person's rows all have the same
        for outside in np.flatnonzero(here & inside["rr"]).tolist():
            person = int(rows.identity[outside])
            for kind in settings.kinds:
                if (kind, person) not in others:
                    others[kind, person] = _others(pools[kind], person, settings)
                for repeat in range(settings.per_frame):
                    rng = np.random.default_rng([seed, KINDS.index(kind), outside, repeat])
                    partner = _partner(rows, pools[kind], others[kind, person], outside, settings, rng)
                    if partner is not None:
                        blends.append(Blend(kind, partner, outside, int(rng.integers(2**31))))
    return sorted(blends, key=lambda blend: blend.outside)  # stable: kinds and repeats stay in order


def _pool(rows: Rows, eligible: NDArray[np.bool]) -> _Pool:
    found = np.flatnonzero(eligible)
    found = found[np.argsort(rows.video[found], kind="stable")]
    _, starts, counts = np.unique(rows.video[found], return_index=True, return_counts=True)
    return _Pool(found, starts, counts, rows.identity[found[starts]], rows.donor[found[starts]])


def _others(pool: _Pool, person: int, settings: Blending) -> NDArray[np.intp]:
    """Return the videos of a pool that one person may be blended with."""
    others = np.flatnonzero(pool.identities != person)
    apart = others[pool.donors[others] != person]
    return apart if settings.avoid_donor and len(apart) else others


def _partner(
    rows: Rows,
    pool: _Pool,
    others: NDArray[np.intp],
    outside: int,
    settings: Blending,
    rng: np.random.Generator,
) -> int | None:
    if not len(others):
        return None
    count = max(1, round(settings.candidates * len(others)))
    videos = others[rng.choice(len(others), count, replace=False, shuffle=False)]
    candidates = pool.rows[pool.starts[videos] + rng.integers(pool.counts[videos])]
    squares = rows.landmarks[candidates]  # in place from here on: this is called for every real row
    squares -= rows.landmarks[outside]
    np.square(squares, out=squares)
    distances = squares[..., 0] + squares[..., 1]
    return int(candidates[np.argmin(np.sqrt(distances, out=distances).sum(axis=1))])
