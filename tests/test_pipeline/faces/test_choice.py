"""Choice: the person whose face differs from the real's, joined over cuts."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.faces.choice import choose, dominant
from pipeline.faces.tracks import Track

HEIGHT, WIDTH = 120, 200
LEFT, RIGHT = (20, 30, 70, 90), (120, 40, 170, 100)


def track(frames, box, scale=1.0):
    boxes = np.tile(np.array(box, np.float32) * scale, (len(frames), 1))
    return Track(np.array(frames, np.int64), boxes, np.full(len(frames), 0.999, np.float32))


def pair(index, box, amount=40, noise=2):
    """A real frame and a fake that differs by `amount` in the middle of a box, and by encoder noise everywhere."""
    rng = np.random.default_rng(index)
    real = rng.integers(50, 150, (HEIGHT, WIDTH, 3), np.uint8)
    fake = (real + rng.integers(-noise, noise + 1, real.shape)).astype(np.uint8)
    if box is not None:
        left, top, right, bottom = box
        fake[top + 10 : bottom - 10, left + 10 : right - 10] += np.uint8(amount)
    return index, fake, real


@pytest.mark.parametrize(("manipulated", "number"), [(LEFT, 0), (RIGHT, 1)])
def test_the_swapped_person_is_chosen(manipulated, number):
    people = [track(range(6), LEFT), track(range(6), RIGHT)]
    choice = choose(people, (pair(index, manipulated) for index in range(6)))
    assert choice.tracks == (number,)
    assert choice.difference[number] > 10
    assert abs(choice.difference[1 - number]) < 1  # the encoder's noise is taken off


def test_difference_is_that_of_the_box_less_the_background():
    choice = choose([track([0], LEFT)], [pair(0, LEFT, amount=40, noise=0)])
    share = 30 * 40 / (50 * 60)
    np.testing.assert_allclose(choice.difference, [40 * share], rtol=1e-6)


def test_the_same_person_after_a_cut_is_joined():
    people = [track(range(4), LEFT), track(range(8), RIGHT, 0.9), track(range(4, 8), LEFT, 1.1)]
    swapped = [LEFT] * 4 + [tuple(int(edge * 1.1) for edge in LEFT)] * 4
    choice = choose(people, (pair(index, box) for index, box in enumerate(swapped)))
    assert sorted(choice.tracks) == [0, 2]
    joined = np.concatenate([people[number].frames for number in choice.tracks])
    np.testing.assert_array_equal(np.sort(joined), np.arange(8))


def test_somebody_unchanged_after_a_cut_is_not_joined():
    people = [track(range(4), LEFT), track(range(4, 8), RIGHT)]
    pairs = [pair(index, LEFT if index < 4 else None) for index in range(8)]
    assert choose(people, iter(pairs)).tracks == (0,)


def both_changed(index, amount=40, other=40):
    """A pair in which two people are changed."""
    _, fake, real = pair(index, LEFT, amount)
    left, top, right, bottom = RIGHT
    fake[top + 10 : bottom - 10, left + 10 : right - 10] += np.uint8(other)
    return index, fake, real


@pytest.mark.parametrize("other", [40, 10])
def test_everybody_who_was_changed_is_chosen_however_much(other):
    people = [track(range(6), LEFT), track(range(6), RIGHT)]
    choice = choose(people, (both_changed(index, other=other) for index in range(6)))
    assert sorted(choice.tracks) == [0, 1]
    assert choice.left == ()
    assert choice.describe().startswith("difference: 2 of 2 faces (")


def test_a_face_in_few_frames_and_a_second_box_on_one_face_are_nobody():
    inner = (24, 34, 64, 84)
    people = [track(range(20), LEFT), track(range(20), inner), track([7], RIGHT)]
    choice = choose(people, (both_changed(index) for index in range(20)))
    assert choice.tracks in ((0,), (1,))
    assert choice.left == (2,)


def test_texture_in_which_an_encoder_changes_more_is_no_manipulation():
    rng = np.random.default_rng(0)
    real = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    left, top, right, bottom = RIGHT
    real[top:bottom, left:right] = rng.integers(60, 140, (bottom - top, right - left, 3))
    fake = (real + rng.integers(-1, 2, real.shape)).astype(np.uint8)
    fake[top:bottom, left:right] += rng.integers(0, 8, (bottom - top, right - left, 3)).astype(np.uint8)
    fake[50:70, 30:60] += 60
    people = [track([0], LEFT), track([0], RIGHT)]
    assert choose(people, [(0, fake, real)]).tracks == (0,)


def test_a_mask_decides_against_the_difference():
    people = [track(range(4), LEFT), track(range(4), RIGHT)]
    mask = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
    mask[120:160, 260:320] = 1
    found = choose(people, (pair(index, LEFT) for index in range(4)), dict.fromkeys(range(4), mask))
    assert (found.tracks, found.by) == ((1,), "mask")
    np.testing.assert_allclose(found.marked, [0, 40 * 60 / (100 * 120)], rtol=1e-6)
    empty = choose(people, (pair(index, LEFT) for index in range(4)), {0: np.zeros_like(mask)})
    assert (empty.tracks, empty.by) == ((0,), "difference")


def test_a_fake_of_another_size():
    people = [track(range(3), LEFT), track(range(3), RIGHT)]
    pairs = [
        (index, cv2.resize(fake, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST), real)
        for index, fake, real in (pair(index, RIGHT) for index in range(3))
    ]
    assert choose(people, iter(pairs)).tracks == (1,)


def test_a_track_no_pair_shows_has_no_difference():
    choice = choose([track([0], LEFT), track([9], RIGHT)], [pair(0, LEFT)])
    assert choice.tracks == (0,)
    assert np.isnan(choice.difference[1])


def test_nothing_to_compare_leaves_the_most_important():
    people = [track(range(5), LEFT), track(range(5), RIGHT)]
    assert choose(people, iter([])).tracks == dominant(people) == (0,)
    assert choose([], iter([])).tracks == ()


def test_identical_videos_still_give_one_person():
    people = [track(range(2), LEFT), track(range(2), RIGHT)]
    same = [(index, real, real) for index, _, real in (pair(index, None) for index in range(2))]
    assert len(choose(people, iter(same)).tracks) == 1


def test_boxes_that_leave_the_frame():
    people = [track([0], (-30, -20, 60, 70)), track([0], (150, 60, 260, 190))]
    choice = choose(people, [pair(0, (0, 0, 60, 70))])
    assert choice.tracks == (0,)
    assert np.isfinite(choice.difference).all()


def test_dominant_takes_faces_of_like_size_from_other_frames():
    main, small, later = track(range(6), LEFT), track(range(6, 12), LEFT, 0.4), track(range(6, 9), RIGHT)
    assert dominant([main, small, later]) == (0, 2)
    assert dominant([main, track(range(3, 9), RIGHT)]) == (0,)
    assert dominant([]) == ()


@given(st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=1, max_size=5))
def test_chosen_tracks_never_share_a_frame(shown):
    people = [track(sorted(frames), LEFT) for frames in shown]
    chosen = dominant(people)
    joined = np.concatenate([people[number].frames for number in chosen])
    assert len(np.unique(joined)) == len(joined)
    for number in set(range(len(people))) - set(chosen):
        assert np.isin(people[number].frames, joined).any()
