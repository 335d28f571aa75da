"""Registration of a fake to its real: each fault is found and named, and nothing is found in a true pair."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from pipeline.crop.alignment import thumbnail
from pipeline.registration.relation import Probed, Relation, probes, register

COUNT, WIDTH, HEIGHT = 60, 352, 288
BOX = np.array([140.0, 100.0, 210.0, 190.0], np.float32)  # of the manipulated face

Frame = NDArray[np.uint8]
Film = list[Frame]


@cache
def scene(still: bool = False) -> tuple[Frame, ...]:
    """Return a person before a standing room who moves about, and never the same way twice."""
    room = cv2.resize(skimage.data.coffee(), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    person = cv2.resize(skimage.data.astronaut()[:300, 100:400], (160, 160), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 1.5, (COUNT, 2)), axis=0) * (0 if still else 1)
    film = []
    for x, y in np.clip(walk, -40, 40):
        move = np.array([[1.0, 0, 96 + x], [0, 1, 70 + y]])
        there = cv2.warpAffine(np.full(person.shape[:2], 255, np.uint8), move, (WIDTH, HEIGHT)) > 128
        moved = cv2.warpAffine(person, move, (WIDTH, HEIGHT))
        noise = rng.integers(-2, 3, room.shape)
        film.append(np.clip(np.where(there[..., None], moved, room) + noise, 0, 255).astype(np.uint8))
    return tuple(film)


def swapped(film: Sequence[Frame]) -> Film:
    """Put another face where the face is, and noise of another encoding over all of it."""
    left, top, right, bottom = BOX.astype(int)
    rng = np.random.default_rng(2)
    other = cv2.resize(skimage.data.cat()[50:250, 100:300], (right - left, bottom - top))
    fakes = []
    for frame in film:
        fake = frame.copy()
        fake[top:bottom, left:right] = other
        fakes.append(np.clip(fake + rng.integers(-3, 4, fake.shape), 0, 255).astype(np.uint8))
    return fakes


def relation(fake: Sequence[Frame], real: Sequence[Frame], faces: bool = True) -> Relation:
    """Register a fake's frames to its real's."""
    frames = probes(range(min(len(fake), len(real))))
    asked: list[int] = []

    def supply(wanted: Sequence[int]) -> Mapping[int, Frame]:
        asked.extend(wanted)
        assert list(wanted) == sorted(set(wanted))
        return {frame: thumbnail(real[frame]) for frame in wanted if frame < len(real)}

    probed = Probed(
        {frame: thumbnail(fake[frame]) for frame in frames},
        lambda frame: [BOX] if faces else [],
        (fake[0].shape[1], fake[0].shape[0]),
        (real[0].shape[1], real[0].shape[0]),
        len(real),
    )
    found = register(probed, supply)
    assert all(0 <= frame < len(real) for frame in asked)
    return found


def each(change: Callable[[Frame], Frame]) -> Callable[[Film], Film]:
    return lambda film: [np.ascontiguousarray(change(frame)) for frame in film]


def crop(frame: Frame) -> Frame:
    return frame[16:-16, 24:-24]


def bars(frame: Frame) -> Frame:
    barred = np.zeros_like(frame)
    barred[36:-36] = cv2.resize(frame, (WIDTH, HEIGHT - 72), interpolation=cv2.INTER_AREA)
    return barred


def painted(frame: Frame) -> Frame:
    barred = frame.copy()
    barred[:24] = barred[-24:] = 0
    return barred


def compressed(frame: Frame) -> Frame:
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def resized(across: float, down: float) -> Callable[[Frame], Frame]:
    return lambda frame: np.asarray(cv2.resize(frame, None, fx=across, fy=down, interpolation=cv2.INTER_AREA), np.uint8)


IN_TIME: dict[str, tuple[Callable[[Film], Film], str]] = {
    "1 late": (lambda film: film[1:], "shows frame i + 1"),
    "3 late": (lambda film: film[3:], "shows frame i + 3"),
    "25 late": (lambda film: film[25:], "shows frame i + 25"),
    "2 early": (lambda film: [film[0]] * 2 + film[:-2], "shows frame i - 2"),
    "7 early": (lambda film: [film[0]] * 7 + film[:-7], "shows frame i - 7"),
    "half the rate": (lambda film: film[::2], "shows frame 2 i"),
    "24 to 30": (lambda film: [film[i * 4 // 5] for i in range(len(film) * 5 // 4)], "shows frame 4/5 i"),
    "backwards": (lambda film: film[::-1], "plays backwards"),
    "a dropped frame": (lambda film: film[:25] + film[26:], "shows frame i + 1 from about frame"),
}
IN_PLACE: dict[str, tuple[Callable[[Film], Film], str]] = {
    "mirrored": (each(lambda frame: frame[:, ::-1]), "mirrored"),
    "upside down": (each(lambda frame: frame[::-1, ::-1]), "turned by 180 degrees"),
    "on its side": (each(lambda frame: np.rot90(frame, -1)), "turned by 90 degrees"),
    "cropped": (each(crop), "cropped by 2"),
    "shifted": (each(lambda frame: np.roll(frame, (3, 5), (0, 1))), "cropped by -5, -3 pixels: scale 1.00"),
    "bars": (each(bars), "black bars: 3"),
    "painted bars": (each(painted), "black bars: 2"),
}
TRUE: dict[str, Callable[[Film], Film]] = {
    "as it is": list,
    "compressed": each(compressed),
    "half the size": each(resized(0.5, 0.5)),
    "twice the size": each(resized(2, 2)),
    "squeezed": each(resized(0.75, 1)),
    "brighter": each(lambda frame: np.clip(frame * 1.2 + 10, 0, 255).astype(np.uint8)),
    "shorter": lambda film: film[:40],
}


@pytest.mark.parametrize("still", [False, True], ids=["moving", "still"])
@pytest.mark.parametrize("change", TRUE.values(), ids=TRUE)
def test_a_true_pair_is_the_identity(change, still):
    real = scene(still)
    found = relation(change(swapped(real)), real)
    assert found.describe() == ""
    assert found.related


@pytest.mark.parametrize(("change", "told"), IN_TIME.values(), ids=IN_TIME)
def test_another_moment_is_found(change, told):
    real = scene()
    assert relation(change(swapped(real)), real).describe().startswith(told)


@pytest.mark.parametrize("still", [False, True], ids=["moving", "still"])
@pytest.mark.parametrize(("change", "told"), IN_PLACE.values(), ids=IN_PLACE)
def test_another_place_is_found(change, told, still):
    real = scene(still)
    assert told in relation(change(swapped(real)), real).describe()


def test_late_and_mirrored_are_both_found():
    real = scene()
    told = relation(each(lambda frame: frame[:, ::-1])(swapped(real))[3:], real).describe()
    assert "mirrored" in told


def test_another_video_is_no_pair():
    stranger = [cv2.resize(skimage.data.rocket(), (WIDTH, HEIGHT))] * COUNT
    found = relation(swapped(stranger), scene())
    assert not found.related
    assert found.describe() == "its surroundings are those of another video"


@pytest.mark.parametrize("change", [lambda film: film[3:], lambda film: film[::-1]], ids=["late", "backwards"])
def test_where_nothing_moves_the_offset_is_undetermined(change):
    real = scene(still=True)
    found = relation(change(swapped(real)), real)
    assert not found.timing.determined
    assert found.describe() == ""


def test_one_picture_is_not_judged():
    real = scene()[:1]
    assert relation(each(lambda frame: frame[:, ::-1])(list(real)), real).describe() == ""


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 300])
def test_probes_are_spread(count):
    frames = probes(range(0, 3 * count, 3))
    assert frames == sorted(set(frames))
    assert len(frames) == min(count, 12)
    assert set(frames) <= set(range(0, 3 * count, 3))
