"""Choice of blending partners: nearest landmarks among other identities of the same split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Blending
from pipeline.errors import ConfigError

KINDS = ("rr", "fr")  # (Real, Real) and (Fake, Real); their positions are the numbers stored and seeded with
NOBODY = -1  # donor of a real, or one without a video
PARTS = (0, 3, 6, 9, 11, 14, 17, 20, 22, 25, 27, 31, 36, 39, 42, 45, 48, 51, 54, 57, 60, 64)
ROUNDING = 3e-4  # of the largest coordinate: more than the rounding of all sums of float32 together
BLOCK = 4096  # rows looked at in one go
FEW = 100  # candidates: for fewer, distances cost less than bounds


@dataclass(frozen=True, slots=True)  # slots: a large store has hundreds of thousands
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
    sums: NDArray[np.float32]  # of each row's landmarks, by `PARTS`: (rows, len(PARTS), 2)
    slack: float  # by how much rounding may lift a bound above the distance
    even: int  # rows of every video, where all have the same number; else 0


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
    usable = _complete(rows.landmarks)
    inside = {"rr": rows.genuine & usable, "fr": rows.fake & usable}
    blends: list[Blend] = []
    for here in _alike(rows.split, rows.compression):
        pools = {kind: _pool(rows, here[inside[kind][here]]) for kind in settings.kinds}
        person, others = NOBODY - 1, dict[str, NDArray[np.intp]]()
        for outside in here[inside["rr"][here]].tolist():
            if person != (person := int(rows.identity[outside])):  # a person's rows are neighbours, most often
                others = {kind: _others(pool, person, settings) for kind, pool in pools.items()}
            for kind, pool in pools.items():
                for repeat in range(settings.per_frame):
                    rng = _generator(seed, KINDS.index(kind), outside, repeat)
                    partner = _partner(rows.landmarks, pool, others[kind], outside, settings, rng)
                    if partner is not None:
                        blends.append(Blend(kind, partner, outside, int(rng.integers(2**31))))
    blends.sort(key=lambda blend: blend.outside)  # stable: kinds and repeats stay in order
    return blends


def _complete(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which rows have all their landmarks."""
    blocks = (landmarks[low : low + BLOCK] for low in range(0, len(landmarks), BLOCK))
    return np.concatenate([np.zeros(0, bool), *(np.isfinite(block).all(axis=(1, 2)) for block in blocks)])


def _alike(*keys: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Return the rows, in order, of each combination of keys that occurs."""
    order = np.lexsort(keys[::-1])
    new = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    return np.split(order, np.flatnonzero(new) + 1) if len(order) else []


def _generator(*entropy: int) -> np.random.Generator:
    """Return the generator that NumPy seeds with a list of numbers, which it takes faster as an array."""
    small = max(entropy) < 2**32
    return np.random.default_rng(np.array(entropy, np.uint32) if small else list(entropy))


def _pool(rows: Rows, found: NDArray[np.intp]) -> _Pool:
    found = found[np.argsort(rows.video[found], kind="stable")]
    _, starts, counts = np.unique(rows.video[found], return_index=True, return_counts=True)
    sums = np.empty((len(found), len(PARTS), 2), np.float32)
    largest = 0.0
    for low in range(0, len(found), BLOCK):
        points = rows.landmarks[found[low : low + BLOCK]]
        sums[low : low + BLOCK] = _sums(points)
        largest = max(largest, float(np.abs(points).max()))
    even = int(counts[0]) if len(counts) and (counts == counts[0]).all() else 0
    people = rows.identity[found[starts]], rows.donor[found[starts]]
    return _Pool(found, starts, counts, *people, sums, ROUNDING * largest, even)


def _sums(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums of neighbouring landmarks, shape (rows, len(PARTS), 2), of landmarks of shape (rows, 68, 2)."""
    return np.asarray(np.add.reduceat(landmarks, PARTS, axis=1))


def _others(pool: _Pool, person: int, settings: Blending) -> NDArray[np.intp]:
    """Return the videos of a pool that one person may be blended with."""
    others = np.flatnonzero(pool.identities != person)
    apart = others[pool.donors[others] != person]
    return apart if settings.avoid_donor and len(apart) else others


def _partner(
    landmarks: NDArray[np.float32],
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
    # the same numbers are drawn either way; one bound for all is faster
    shift = rng.integers(pool.even, size=count) if pool.even else rng.integers(pool.counts[videos])
    candidates = pool.starts[videos] + shift
    own = landmarks[outside]
    if count < FEW:
        return _nearest(landmarks, pool.rows[candidates], own)[0]
    bounds = np.take(pool.sums, candidates, axis=0, mode="clip")  # faster than by an index, here and below
    bounds -= _sums(own[None])
    lengths = _lengths(bounds)
    _, reached = _nearest(landmarks, pool.rows[candidates[[lengths.argmin()]]], own)
    near = lengths * (1 - 1e-5) <= reached + pool.slack
    return _nearest(landmarks, pool.rows[candidates[near]], own)[0]


def _nearest(
    landmarks: NDArray[np.float32], candidates: NDArray[np.intp], own: NDArray[np.float32]
) -> tuple[int, float]:
    """Return which row of some is nearest to a face, the first of equals, and its distance."""
    distances = _distances(np.take(landmarks, candidates, axis=0, mode="clip"), own)
    place = int(distances.argmin())
    return int(candidates[place]), float(distances[place])


def _lengths(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the summed lengths of the vectors that `_sums` lays out, shape (rows,).

    Of differences it is never more than the distance of the landmarks, but for rounding: a sum of vectors is at most as
    long as the vectors are together.
    """
    np.square(sums, out=sums)
    squares = sums[..., 0] + sums[..., 1]
    return np.asarray(np.sqrt(squares, out=squares) @ np.ones(len(PARTS), np.float32))


def _distances(candidates: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums over the landmarks of the distances to one face's, shape (rows,); `candidates` is overwritten."""
    candidates -= own
    np.square(candidates, out=candidates)
    distances = candidates[..., 0] + candidates[..., 1]
    return np.asarray(np.sqrt(distances, out=distances).sum(axis=1))
