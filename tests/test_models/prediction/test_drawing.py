"""What is drawn: boxes and maps at their places, the whole picture, text that fits, a line at the frame shown."""

import numpy as np
import pytest

from models.prediction import drawing, timeline
from models.prediction.drawing import FAKE_COLOUR, REAL_COLOUR, Mark, annotate, caption, zoom
from pipeline.config import Cropping

SQUARE, PADDED = Cropping(size=64), Cropping(size=64, fit="letterbox")
PLAIN = np.full((300, 600, 3), 128, np.uint8)


def heat(rows, columns):
    values = np.zeros((64, 64), np.uint8)
    values[rows, columns] = 255
    return values


def test_every_face_is_boxed_in_the_colour_of_its_score():
    marks = [
        Mark(1, np.array([50, 80, 150, 180], np.float32), 0.9),
        Mark(2, np.array([300, 100, 420, 220], np.float32), 0.2),
    ]
    shown = annotate(PLAIN, marks, 1.0, SQUARE)
    assert shown.shape == PLAIN.shape
    for (left, top, right, bottom), colour in (((50, 80, 150, 180), FAKE_COLOUR), ((300, 100, 420, 220), REAL_COLOUR)):
        assert (shown[top:bottom, [left, right - 1]] == colour).all()
        assert (shown[[top, bottom - 1], left:right] == colour).all()
        inside = shown[top + 5 : bottom - 5, left + 5 : right - 5]
        assert (inside == 128).all()
        assert (shown[top - 6, left + 2] == colour).all()  # the label stands above its box
    changed = (shown != 128).any(2)
    assert not changed[:, 200:295].any()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_map_lies_where_it_was_predicted(scale):
    mark = Mark(1, np.array([100.0, 50.0, 300.0, 250.0], np.float32), 0.9, heat(slice(0, 32), slice(0, 32)))
    shown = annotate(PLAIN, [mark], scale, SQUARE).astype(int)
    coloured = np.ptp(shown, axis=2) > 60  # the grey picture has no colour

    def share(left, top, right, bottom):
        edges = [round(edge * scale) for edge in (left, top, right, bottom)]
        return coloured[edges[1] : edges[3], edges[0] : edges[2]].mean()

    assert share(125, 85, 190, 140) == 1  # upper left quarter of the box
    assert share(210, 60, 290, 240) == 0
    assert share(110, 160, 290, 240) == 0
    assert share(320, 0, 600, 300) == 0


def test_the_map_of_a_letterboxed_crop_is_not_stretched():
    tall = Mark(1, np.array([100.0, 50.0, 200.0, 250.0], np.float32), 0.9, heat(slice(None), slice(0, 32)))
    coloured = np.ptp(annotate(PLAIN, [tall], 1.0, PADDED).astype(int), axis=2) > 60
    assert coloured[90:240, 106:146].all()  # the crop's middle column is the box's middle
    assert not coloured[90:240, 155:194].any()
    assert not coloured[90:240, 205:].any()  # nor is the padding's map drawn


def test_small_pictures_grow_and_huge_ones_shrink():
    assert zoom(225, 275, 2560) == 3
    assert zoom(640, 360, 1280) == 1
    assert zoom(3840, 2160, 1280) == pytest.approx(1 / 3)
    assert zoom(100, 1200, 1280) == 1


def test_a_caption_fits_its_width():
    short, long = caption(["a"], 300, 16), caption(["a", "many words in a line " * 5], 300, 16)
    assert short.shape[1] == long.shape[1] == 300
    assert long.shape[0] > 2 * short.shape[0]
    one = caption(["x" * 400], 300, 16)
    assert one.shape[0] == short.shape[0]
    assert (one[:, -4:] == 255).all()


def test_the_line_stands_at_the_frame():
    faces = [(np.array([0, 50, 99]), np.array([0.0, 1.0, 0.0]))]
    line = timeline.draw(faces, 100, 640)
    assert line.strip.shape[1] == 640
    for frame in (0, 50, 99):
        column = round(line.start + line.step * frame)
        assert (line.at(frame)[line.top : line.bottom, column] == timeline.CURSOR).all()
    near = line.strip[line.top - 6 : line.top + 6, round(line.start + 50 * line.step) - 2 :][:, :5]
    assert (np.ptp(near.astype(int), axis=2) > 100).any()  # the score 1 of frame 50 is drawn at the top of its column
    assert (line.strip != line.at(50)).any()


def test_a_gap_is_left_where_a_face_is_not_seen():
    x, y = timeline._broken(np.array([0, 1, 2, 30, 31]), np.full(5, 0.5))
    assert np.isnan(x[3])
    assert np.isnan(y[3])
    assert len(x) == 6


def test_letters_are_readable():
    assert drawing.text_side(225, 275) == 16
    assert drawing.text_side(4000, 3000) == 40
