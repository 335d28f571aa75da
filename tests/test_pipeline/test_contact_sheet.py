"""Contact sheets: every picture in its place, titles beside them."""

import numpy as np

from pipeline.contact_sheet import BORDER, HEAD, contact_sheet


def plain(colour, shape=(9, 9)):
    return np.full((*shape, len(colour)), colour, np.uint8)


def test_every_picture_is_in_its_place():
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    pictures = [[plain(red), plain(green, (20, 40))], [plain((7,)), plain(blue, (3, 3))]]
    sheet = contact_sheet(pictures, ["first", "second"], ["a\nb", "c"], side=30, margin=50)
    assert sheet.shape == (HEAD + 60, 50 + 60, 3)
    for row, column, colour in ((0, 0, red), (0, 1, green), (1, 0, (7, 7, 7)), (1, 1, blue)):
        found = sheet[HEAD + 30 * row :, 50 + 30 * column :][:30, :30]
        inner = found[BORDER:-BORDER, BORDER:-BORDER]
        assert (inner == colour).all()
        assert (found[0] == 255).all()


def test_titles_are_written():
    named = contact_sheet([[plain((0,))]], ["first"], ["row"], side=40, margin=60)
    bare = contact_sheet([[plain((0,))]], [""], [""], side=40, margin=60)
    assert (named[:HEAD, 60:] != bare[:HEAD, 60:]).any()
    assert (named[HEAD:, :60] != bare[HEAD:, :60]).any()
    assert np.array_equal(named[HEAD:, 60:], bare[HEAD:, 60:])
