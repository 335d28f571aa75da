"""Motion of a person: head, mouth, eyes and light as smooth curves over a clip's frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.geometry import Points

Curve = NDArray[np.float64]  # (frames,)

CENTRE = (226.0, 150.0)  # the head turns about it, photograph pixels
DEPTH = -25.0
PERSPECTIVE = 700.0  # camera's distance, photograph pixels


@dataclass(frozen=True)
class Motion:
    """Curves over a clip's frames."""

    yaw: Curve  # radians
    pitch: Curve
    roll: Curve
    shift: Points  # of the head, photograph pixels
    scale: Curve
    mouth: Curve  # 0 closed, 1 wide open
    lids: Curve  # 0 open as on the photograph, 1 closed
    brows: Curve  # photograph pixels upwards
    gain: Curve  # factor on all light
    slope: Curve  # light from one side, grey levels across the frame


def script(number: int, frames: int, seed: int, rate: float) -> Motion:
    """Invent a talking person's motion.

    Parameters
    ----------
    number : int
        The identity: no two move alike.
    frames : int
        Length of the clip.
    seed : int
        Seed of the whole sample.
    rate : float
        Frames per second.
    """
    rng = np.random.default_rng([seed, 3, number])
    time = np.arange(frames) / rate
    return Motion(
        yaw=wander(rng, time, 0.13) + rng.uniform(-0.05, 0.05),
        pitch=wander(rng, time, 0.07),
        roll=wander(rng, time, 0.07),
        shift=np.stack([wander(rng, time, 6.0) + rng.uniform(-5, 5), wander(rng, time, 3.5)], axis=1),
        scale=1 + wander(rng, time, 0.03) + rng.uniform(-0.05, 0.03),
        mouth=_speech(rng, time),
        lids=_blinks(rng, time),
        brows=wander(rng, time, 1.6),
        gain=1 + wander(rng, time, 0.03),
        slope=wander(rng, time, 6.0) + rng.uniform(-10, 10),
    )


def expression(points: Points, mouth: float, lids: float, brows: float) -> Points:
    """Open the mouth, close the lids and lift the brows of 68 landmarks in photograph pixels, the head upright."""
    moved = points.copy()
    gap = points[65:68].mean(axis=0)[1] - points[61:64].mean(axis=0)[1]
    drop = -0.82 * gap + mouth * (gap + 9.0)  # of the lower lip
    moved[[60, 64, 48, 54], 1] += 0.3 * drop
    moved[65:68, 1] += drop
    moved[55:60, 1] += drop * np.array([0.7, 0.95, 1.0, 0.95, 0.7])
    moved[4:13, 1] += max(drop, 0.3 * drop) * np.array([0.15, 0.4, 0.7, 0.9, 1.0, 0.9, 0.7, 0.4, 0.15])
    moved[[48, 60], 0] += 2.2 * mouth  # an open mouth is narrower
    moved[[54, 64], 0] -= 2.2 * mouth
    for upper, lower in (((37, 41), (38, 40)), ((43, 47), (44, 46))):
        for top, bottom in (upper, lower):
            moved[top] += 0.9 * lids * (points[bottom] - points[top])
    moved[17:27, 1] -= brows - 1.5 * lids
    return moved


def posed(points: Points, depth: Curve, motion: Motion, frame: int) -> Points:
    """Turn and shift points of the head as at one frame; `depth` towards the camera; photograph pixels."""
    x, y, z = points[:, 0] - CENTRE[0], points[:, 1] - CENTRE[1], depth - DEPTH
    for angle, first, second in ((motion.yaw, "x", "z"), (motion.pitch, "y", "z"), (motion.roll, "x", "y")):
        now = {"x": x, "y": y, "z": z}
        c, s = np.cos(angle[frame]), np.sin(angle[frame])
        now[first], now[second] = c * now[first] + s * now[second], c * now[second] - s * now[first]
        x, y, z = now["x"], now["y"], now["z"]
    near = motion.scale[frame] * PERSPECTIVE / (PERSPECTIVE - z)
    return np.asarray(np.stack([x * near, y * near], axis=1) + CENTRE + motion.shift[frame])


def depths(points: Points) -> Curve:
    """Guess how far points of the photograph's face stand out towards the camera, photograph pixels."""
    off = np.square((points[:, 0] - 226) / 62) + np.square((points[:, 1] - 118) / 90)
    depth = 42 * np.sqrt(np.clip(1 - off, 0, 1)) - 20
    if len(points) >= 68:
        depth[27:31] += [3, 7, 11, 15]
        depth[31:36] += [5, 8, 10, 8, 5]
    return np.asarray(depth)


def wander(rng: np.random.Generator, time: Curve, size: float) -> Curve:
    """Sum three slow sines of random phase, at times in seconds; the largest swing is about `size`."""
    rates, phases = rng.uniform(0.15, 0.9, 3), rng.uniform(0, 2 * np.pi, 3)
    shares = rng.uniform(0.3, 1.0, 3) / np.array([1.0, 1.5, 2.5])
    waves = np.sin(2 * np.pi * rates * time[:, None] + phases)
    return np.asarray(size * (waves @ shares) / shares.sum())


def _speech(rng: np.random.Generator, time: Curve) -> Curve:
    """Open and close the mouth at the pace of syllables, with a pause now and then."""
    rate, phase = rng.uniform(2.4, 3.6), rng.uniform(0, 2 * np.pi)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * rate * time + phase + 0.8 * np.sin(2 * np.pi * 0.7 * time + phase))
    loud = np.clip(0.55 + 0.6 * np.sin(2 * np.pi * rng.uniform(0.3, 0.6) * time + rng.uniform(0, 2 * np.pi)), 0.1, 1)
    return np.asarray(np.clip(0.12 + rng.uniform(0.6, 0.9) * syllables * loud, 0, 1))


def _blinks(rng: np.random.Generator, time: Curve) -> Curve:
    """Close the eyes for about a fifth of a second, every one to two seconds."""
    starts = rng.uniform(0.2, 0.9) + np.cumsum(np.concatenate([[0], rng.uniform(0.9, 1.8, 40)]))
    waves = np.exp(-np.square((time[:, None] - starts) / 0.065))
    return np.asarray(np.clip(0.08 + waves.max(axis=1), 0, 1))
