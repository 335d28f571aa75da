"""Rows in their order, every fake beside its real, every row beside its least compressed twin."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.crop.row_table import assemble, least_compressed, level, numbered
from pipeline.crop.staging import COLUMNS, Part, Reject, Source
from pipeline.manifest import COMPRESSIONS, NATIVE, REAL, SPLITS, Video
from pipeline.store import Names
from pipeline.store.schema import NO_PAIR

METHODS = (REAL, "Alpha", "Beta")
LEVELS = COMPRESSIONS[:3]
NAMES = Names(METHODS, LEVELS)


def video(target, method, compression, split):
    name = target if method == REAL else f"{target}_x{method}"
    return Video(name, f"{method}/{compression}/{name}.mp4", method, compression, split, target, target)


@st.composite
def parts(draw):
    """Draw parts as the index leaves them: one per target, its versions' rows in any order of videos."""
    made = []
    for target in draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True)):
        split = draw(st.sampled_from(SPLITS))
        frames = draw(st.lists(st.integers(0, 30), max_size=4, unique=True).map(sorted))
        tracks = range(draw(st.integers(1, 2)))
        sources, rows = [], []
        for method in draw(st.sets(st.sampled_from(METHODS))):
            used = frames if method == REAL else draw(st.sets(st.sampled_from(frames or [0]))) & set(frames)
            for compression in draw(st.sets(st.sampled_from(LEVELS), min_size=1)):
                sources.append(Source(video(target, method, compression, split), 31, 64, 48, "0"))
                rows += [(len(sources) - 1, frame, track) for frame in sorted(used) for track in tracks]
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        order = rng.permutation(len(sources))
        sources, rows = [sources[n] for n in order], [(int(np.argsort(order)[v]), f, t) for v, f, t in rows]
        columns = {name: rng.random((len(rows), *shape)).astype(kind) for name, (kind, shape) in COLUMNS.items()}
        for place, name in enumerate(("video", "frame", "track")):
            columns[name] = np.array([row[place] for row in rows], np.int32)
        columns["offset"] = np.arange(len(rows))
        rejects = tuple(Reject(source.video, 31, "faces", "none") for source in sources[:1])
        made.append(Part(tuple(sources), rejects, columns))
    return made


def table_of(made):
    """Return the table of parts whose columns stay theirs."""
    return assemble(NAMES, [dataclasses.replace(part, columns=dict(part.columns)) for part in made])


def described(part_list):
    """Return every row's own story by its place of staging, told without any of the code under test."""
    return {
        (number, int(offset)): (part.sources[v], int(frame), int(track))
        for number, part in enumerate(part_list)
        for v, frame, track, offset in zip(
            *(part.columns[n] for n in ("video", "frame", "track", "offset")), strict=True
        )
    }


@given(parts())
@settings(max_examples=150, deadline=None)
def test_every_row_keeps_its_story_and_stands_in_order(made):
    table = table_of(made)
    story = described(made)
    assert len(table) == len(story)
    assert sorted(zip(table.part.tolist(), table.offset.tolist(), strict=True)) == sorted(story)
    assert [r for p in made for r in p.rejects] == list(table.rejects)
    keys = []
    for row, place in enumerate(zip(table.part.tolist(), table.offset.tolist(), strict=True)):
        source, frame, track = story[place]
        assert table.sources[table.columns["video"][row]] == source
        assert table.columns["frame"][row] == frame
        np.testing.assert_array_equal(table.columns["box"][row], made[place[0]].columns["box"][place[1]])
        for name in ("method", "compression", "split"):
            assert getattr(NAMES, name)[table.columns[name][row]] == getattr(source.video, name)
        of = source.video
        codes = METHODS.index(of.method), LEVELS.index(of.compression)
        keys.append((SPLITS.index(of.split), of.target, *codes, of.id, frame, track))
    assert keys == sorted(keys)


@given(parts())
@settings(max_examples=150, deadline=None)
def test_faces_and_reals_are_what_they_say(made):
    table = table_of(made)
    story = described(made)
    stories = [story[place] for place in zip(table.part.tolist(), table.offset.tolist(), strict=True)]
    face_of, face, real = {}, table.columns["face"], table.columns["real"]
    for row, (source, frame, track) in enumerate(stories):
        assert face_of.setdefault((source.video.target, frame, track), face[row]) == face[row]
        twin = [
            other
            for other, (theirs, at, whom) in enumerate(stories)
            if theirs.video.method == REAL
            and (theirs.video.target, at, whom) == (source.video.target, frame, track)
            and theirs.video.compression == source.video.compression
        ]
        assert real[row] == (twin[0] if twin else NO_PAIR)
        assert source.video.method != REAL or real[row] == row
    assert len(set(face_of.values())) == len(face_of), "different faces have different numbers"
    assert set(face.tolist()) == set(range(len(face_of)))


@given(parts())
@settings(max_examples=150, deadline=None)
def test_the_least_compressed_twin_has_a_pair_if_any_has(made):
    table = table_of(made)
    ids = np.array([source.video.id for source in table.sources] or [""], dtype=object)
    columns = table.columns
    best = least_compressed(columns, ids)
    for row in range(len(table)):
        twins = [
            other
            for other in range(len(table))
            if ids[columns["video"][other]] == ids[columns["video"][row]]
            and columns["face"][other] == columns["face"][row]
            and columns["real"][other] != NO_PAIR
        ]
        expected = min(twins, key=lambda other: columns["compression"][other], default=row)
        assert best[row] == expected


def test_parts_in_another_order_give_the_same_rows_under_other_face_numbers():
    sources = [Source(video(t, REAL, "raw", "train"), 9, 64, 48, "0") for t in "ba"]
    made = []
    for source in sources:
        columns = {name: np.zeros((2, *shape), kind) for name, (kind, shape) in COLUMNS.items()}
        columns["frame"], columns["offset"] = np.array([0, 5], np.int32), np.arange(2)
        made.append(Part((source,), (), columns))
    one, other = table_of(made), table_of(made[::-1])
    assert one.sources == other.sources
    assert [source.video.target for source in one.sources] == ["a", "b"]
    for name in set(one.columns) - {"face"}:
        np.testing.assert_array_equal(one.columns[name], other.columns[name])
    assert one.part.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("compression", "path", "expected"),
    [
        ("raw", "a.mp4", "raw"),
        ("c40", "a.png", "c40"),
        (NATIVE, "a.mp4", "c23"),
        (NATIVE, "a.png", "raw"),
        (NATIVE, "a.jpg", "c23"),
    ],
)
def test_native_data_count_as_raw_only_if_lossless(compression, path, expected):
    assert level(compression, path) == expected


@pytest.mark.parametrize("rows", [0, 1, 400])
def test_combinations_of_keys_are_numbered_in_their_order(rows):
    rng = np.random.default_rng(rows)
    keys = [rng.integers(-2, 4, rows).astype(kind) for kind in (np.int64, np.int32, np.int8)]
    listed = list(zip(*(key.tolist() for key in keys), strict=True))
    numbers = {key: number for number, key in enumerate(sorted(set(listed)))}
    assert numbered(*keys).tolist() == [numbers[key] for key in listed]
