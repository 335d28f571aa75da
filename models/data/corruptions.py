"""Degradations of stored crops, written `KIND:STRENGTH`, for robustness sweeps and for data degraded as in papers."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.video import frames
from pipeline.video.encode import write_video

Pixels = NDArray[np.uint8]
CLIP_FPS = 25.0


@dataclass(frozen=True)
class Kind:
    """One degradation: the meaning of its strength, its limits, and its function (crop, strength, row) -> crop.

    `clip`: it acts on all crops of a video together, and has no such function.
    """

    about: str
    low: float
    high: float
    apply: Callable[[Pixels, float, int], Pixels] | None = None
    clip: bool = False


@dataclass(frozen=True)
class Perturbation:
    """A degradation of one strength."""

    kind: str
    strength: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.strength:g}"

    @property
    def clip(self) -> bool:
        """Whether it acts on all crops of a video together."""
        return KINDS[self.kind].clip

    def __call__(self, image: Pixels, row: int) -> Pixels:
        """Degrade one crop.

        Parameters
        ----------
        image : ndarray of shape (H, W, 3), uint8
            RGB.
        row : int
            Seed of anything random: a row is degraded in the same way for every detector.

        Returns
        -------
        ndarray of shape (H, W, 3), uint8

        Raises
        ------
        ConfigError
            It acts on whole clips.
        """
        apply = KINDS[self.kind].apply
        if apply is None:
            raise ConfigError(f"{self} acts on whole clips, not on single crops.")
        return apply(image, self.strength, row)


def parse(text: str) -> Perturbation:
    """Read `KIND:STRENGTH`.

    Raises
    ------
    ConfigError
        An unknown kind, or a strength outside its limits.

    Examples
    --------
    >>> parse("jpeg:60")
    Perturbation(kind='jpeg', strength=60.0)
    """
    name, _, number = text.partition(":")
    if name not in KINDS:
        raise ConfigError(f"There is no perturbation {name}; known are {', '.join(KINDS)}, written such as jpeg:60.")
    about = KINDS[name]
    try:
        strength = float(number)
    except ValueError:
        raise ConfigError(f"{text}: write {name}:NUMBER, the number being the {about.about}.") from None
    if not about.low <= strength <= about.high:
        raise ConfigError(f"{text}: the {about.about} must lie between {about.low:g} and {about.high:g}.")
    return Perturbation(name, strength)


def sweep(name: str) -> list[Perturbation]:
    """Return the degradations of a kind at the papers' strengths; raises ConfigError for an unknown kind."""
    if name not in SWEEPS:
        raise ConfigError(f"There is no sweep {name}; known are {', '.join(SWEEPS)}.")
    return [Perturbation(name, strength) for strength in SWEEPS[name]]


def _jpeg(image: Pixels, quality: float, row: int) -> Pixels:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not done:
        raise ConfigError("OpenCV was built without JPEG.")
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _blur(image: Pixels, sigma: float, row: int) -> Pixels:
    if not sigma:
        return image
    return np.asarray(cv2.GaussianBlur(image, (3, 3), sigma), np.uint8)


def _resize(image: Pixels, factor: float, row: int) -> Pixels:
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _noise(image: Pixels, sigma: float, row: int) -> Pixels:
    noise = np.random.default_rng([1, row]).normal(0, 1, image.shape)
    return np.clip(np.rint(image + sigma * noise), 0, 255).astype(np.uint8)


def _mean(image: Pixels, side: float, row: int) -> Pixels:
    return np.asarray(cv2.blur(image, (int(side), int(side))), np.uint8)


KINDS: Mapping[str, Kind] = {
    "jpeg": Kind("JPEG quality", 1, 100, _jpeg),
    "blur": Kind("standard deviation of a 3x3 Gaussian, pixels", 0, 10, _blur),
    "resize": Kind("factor of downscaling before scaling up again", 0.02, 1, _resize),
    "noise": Kind("standard deviation of Gaussian noise, grey levels", 0, 255, _noise),
    "mean": Kind("side of a mean filter, pixels", 1, 31, _mean),
    "h264": Kind("constant rate factor of H.264 encoding of each video's crops", 0, 51, clip=True),
}
# Chen et al. (bigarts), robustness figures; their noise is taken in grey levels. Guo et al. (grnet): JP60, ME5.
SWEEPS: Mapping[str, tuple[float, ...]] = {
    "jpeg": (100, 90, 80, 70, 60),
    "blur": (0.1, 0.2, 0.3, 0.4, 0.5),
    "resize": (1.0, 0.8, 0.6, 0.4, 0.2, 0.1),
    "noise": (0.1, 0.2, 0.3, 0.4, 0.5),
    "mean": (3, 5),
    "h264": (5, 10, 15, 20, 25, 30),
}


def reencode(clip: Sequence[Pixels] | Pixels, crf: float) -> Pixels:
    """Encode crops as one H.264 clip and read them back.

    Parameters
    ----------
    clip : sequence of ndarray of shape (H, W, 3), uint8
        In the order of their frames; an odd side is padded by repeating its edge, and cut off again.
    crf : float
        Constant rate factor.

    Returns
    -------
    ndarray of shape (n, H, W, 3), uint8
    """
    stacked = np.asarray(clip)
    _, height, width, _ = stacked.shape
    padded = np.pad(stacked, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, padded, fps=CLIP_FPS, crf=int(crf))
        again = [picture for _, picture in frames.read(path, range(len(padded)))]
    return np.stack(again)[:, :height, :width]
