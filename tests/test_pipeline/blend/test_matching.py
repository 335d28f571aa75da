"""Who is blended into whom."""

import dataclasses

import numpy as np
import pytest

from pipeline.blend import KINDS, Blend, Rows, people, plan
from pipeline.blend.matching import NOBODY
from pipeline.config import Blending
from pipeline.errors import ConfigError

FRAMES = 3


def store(identities: dict[int, int], *, splits: int = 2, compressions: int = 2, seed: int = 0) -> Rows:
    """Make columns: in each split and compression, per identity so many real videos, each with two fakes.

    The first fake carries the face of the next identity, the second nobody's.
    """
    table, people = [], list(identities)
    for split in range(splits):
        for compression in range(compressions):
            for identity, videos in identities.items():
                following = 100 * split + people[(people.index(identity) + 1) % len(people)]
                for _ in range(videos):
                    for donor in (NOBODY, following, NOBODY):
                        genuine = len(table) % 3 == 0
                        table.append((split, compression, 100 * split + identity, donor, len(table), genuine))
    split, compression, identity, donor, video, genuine = (
        np.repeat(column, FRAMES) for column in zip(*table, strict=True)
    )
    landmarks = np.random.default_rng(seed).uniform(60, 190, (len(video), 68, 2)).astype(np.float32)
    return Rows(landmarks, genuine.astype(bool), ~genuine.astype(bool), split, compression, identity, donor, video)


ROWS = store({1: 2, 2: 1, 3: 1})
EVERY = Blending(candidates=1.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_every_real_row_is_the_background_of_each_kind(share: float) -> None:
    settings = Blending(candidates=share, per_frame=2)
    blends = plan(ROWS, settings, 0)
    expected = [(row, kind) for row in np.flatnonzero(ROWS.genuine) for kind in KINDS for _ in range(2)]
    assert [(blend.outside, blend.kind) for blend in blends] == expected


def test_partners_are_other_people_of_the_same_split_and_compression() -> None:
    for blend in plan(ROWS, Blending(per_frame=3), 5):
        a, b = blend.inside, blend.outside
        assert ROWS.genuine[b]
        assert ROWS.identity[a] != ROWS.identity[b]
        assert ROWS.split[a] == ROWS.split[b]
        assert ROWS.compression[a] == ROWS.compression[b]
        assert ROWS.genuine[a] == (blend.kind == "rr")
        assert ROWS.fake[a] == (blend.kind == "fr")


def test_no_fake_is_pasted_onto_the_person_whose_face_it_carries() -> None:
    def carried(settings: Blending, rows: Rows = ROWS) -> list[bool]:
        blends = [blend for blend in plan(rows, settings, 1) if blend.kind == "fr"]
        return [bool(rows.donor[blend.inside] == rows.identity[blend.outside]) for blend in blends]

    assert not any(carried(Blending(per_frame=5)))
    assert any(carried(Blending(per_frame=5, avoid_donor=False)))
    two = store({1: 1, 2: 1})
    alone = dataclasses.replace(two, donor=np.where(two.fake, 3 - two.identity % 100 + 100 * two.split, NOBODY))
    assert all(carried(Blending(), alone)), "where there is nobody else, he is taken"


def test_a_donor_is_named_by_identity_or_video() -> None:
    columns = (["000", "001", "000_001", "x", "y"], ["a", "b", "a", "c", "a"], ["", "", "001", "b", "stranger"])
    identity, donor = people(*(np.array(column, dtype=object) for column in columns))
    assert identity.tolist() == [0, 1, 0, 2, 0]
    assert donor.tolist() == [NOBODY, NOBODY, 1, 1, NOBODY]


def test_the_nearest_of_all_candidates_is_taken() -> None:
    rows = store({identity: 1 for identity in range(5)}, splits=1, compressions=1)
    rows = dataclasses.replace(rows, video=np.arange(len(rows.video)))  # one row a video: all are candidates
    for blend in plan(rows, EVERY, 0):
        person = rows.identity[blend.outside]
        allowed = (rows.genuine if blend.kind == "rr" else rows.fake) & (rows.identity != person)
        allowed &= rows.donor != person
        distances = np.linalg.norm(rows.landmarks - rows.landmarks[blend.outside], axis=2).sum(axis=1)
        assert blend.inside == np.flatnonzero(allowed)[np.argmin(distances[allowed])]


def test_one_random_row_of_each_candidate_video() -> None:
    rows = store({1: 1, 2: 1}, splits=1, compressions=1)
    background = int(np.flatnonzero(rows.genuine)[0])
    taken = {
        blend.inside
        for seed in range(40)
        for blend in plan(rows, EVERY, seed)
        if blend.outside == background and blend.kind == "rr"
    }
    assert taken == set(np.flatnonzero(rows.genuine & (rows.identity == 2)))


def test_a_share_of_the_videos_is_searched() -> None:
    rows = store({identity: 1 for identity in range(21)}, splits=1, compressions=1)
    # identity 7 is by far the nearest to identity 0, and so taken whenever it is among the candidates
    place = np.where(rows.identity == 0, 0, np.where(rows.identity == 7, 1, 50))
    landmarks = np.broadcast_to(place[:, None, None], rows.landmarks.shape).astype(np.float32)
    rows = dataclasses.replace(rows, landmarks=landmarks)
    settings = Blending(kinds=("rr",), candidates=0.25)
    hits = [rows.identity[plan(rows, settings, seed)[0].inside] == 7 for seed in range(100)]
    assert 0.12 < np.mean(hits) < 0.4


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    settings = Blending(per_frame=2)
    assert plan(ROWS, settings, 3) == plan(ROWS, settings, 3)
    assert plan(ROWS, settings, 3) != plan(ROWS, settings, 4)
    seeds = [blend.seed for blend in plan(ROWS, settings, 3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_kind_does_not_depend_on_the_others_nor_a_repeat_on_their_number() -> None:
    both = plan(ROWS, Blending(per_frame=2), 3)
    for kind in KINDS:
        alone = plan(ROWS, Blending(kinds=(kind,), per_frame=1), 3)
        assert alone == [blend for blend in both if blend.kind == kind][::2]


def test_a_split_does_not_depend_on_the_others() -> None:
    first = ROWS.split == 0  # the first rows: their numbers stay
    alone = Rows(*(getattr(ROWS, field.name)[first] for field in dataclasses.fields(Rows)))
    assert plan(alone, EVERY, 1) == [blend for blend in plan(ROWS, EVERY, 1) if ROWS.split[blend.outside] == 0]


def test_rows_without_landmarks_take_no_part() -> None:
    landmarks = ROWS.landmarks.copy()
    landmarks[::4] = np.nan
    landmarks[1, 5, 0] = np.nan
    rows = dataclasses.replace(ROWS, landmarks=landmarks)
    blind = np.isnan(landmarks).any(axis=(1, 2))
    blends = plan(rows, EVERY, 0)
    assert blends
    assert not any(blind[blend.inside] or blind[blend.outside] for blend in blends)
    assert len(blends) == 2 * int((~blind & rows.genuine).sum())


def test_nothing_is_planned_where_everybody_is_the_same_person() -> None:
    rows = store({1: 3}, splits=1)
    assert plan(rows, EVERY, 0) == []


def test_fakes_that_are_labelled_real_or_have_no_pair_are_not_used() -> None:
    rows = dataclasses.replace(ROWS, fake=np.zeros_like(ROWS.fake))
    blends = plan(rows, EVERY, 0)
    assert {blend.kind for blend in blends} == {"rr"}
    assert len(blends) == int(rows.genuine.sum())


def test_rows_in_any_order_give_videos_of_their_own() -> None:
    order = np.random.default_rng(2).permutation(len(ROWS.video))
    mixed = Rows(*(getattr(ROWS, field.name)[order] for field in dataclasses.fields(Rows)))
    for blend in plan(mixed, EVERY, 0):
        assert mixed.identity[blend.inside] != mixed.identity[blend.outside]
        assert mixed.split[blend.inside] == mixed.split[blend.outside]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="ff"):
        plan(ROWS, Blending(kinds=("rr", "ff")), 0)


def test_an_empty_store_has_an_empty_plan() -> None:
    none = Rows(*(getattr(ROWS, field.name)[:0] for field in dataclasses.fields(Rows)))
    assert plan(none, EVERY, 0) == []
    assert Blend("rr", 1, 2, 3) == Blend("rr", 1, 2, 3)


def plainly(rows: Rows, settings: Blending, seed: int, some: range) -> list[Blend]:
    """Plan some backgrounds row by row, the distance to every candidate measured: what `plan` finds by bounds."""
    usable = np.isfinite(rows.landmarks).all(axis=(1, 2))
    planned = []
    for outside in np.intersect1d(np.flatnonzero(rows.genuine & usable), some).tolist():
        same = (rows.split == rows.split[outside]) & (rows.compression == rows.compression[outside]) & usable
        person = rows.identity[outside]
        for number, kind in enumerate(KINDS):
            eligible = np.flatnonzero(same & (rows.identity != person) & (rows.fake if number else rows.genuine))
            apart = eligible[rows.donor[eligible] != person]
            found = apart if len(apart) else eligible
            videos = np.unique(rows.video[found])
            for repeat in range(settings.per_frame):
                rng = np.random.default_rng([seed, number, outside, repeat])
                count = max(1, round(settings.candidates * len(videos)))
                drawn = videos[rng.choice(len(videos), count, replace=False, shuffle=False)]
                own = [found[rows.video[found] == video] for video in drawn]
                shift = rng.integers([len(some) for some in own])
                candidates = np.array([some[place] for some, place in zip(own, shift, strict=True)])
                apart_by = rows.landmarks[candidates] - rows.landmarks[outside]
                best = candidates[np.sqrt(np.square(apart_by).sum(axis=2)).sum(axis=1).argmin()]
                planned.append(Blend(kind, int(best), outside, int(rng.integers(2**31))))
    return planned


@pytest.mark.parametrize("even", [True, False], ids=["as many rows a video", "rows are missing"])
@pytest.mark.parametrize("seed", [3, 2**40])
def test_the_nearest_of_many_candidates_is_found_as_by_measuring_them_all(even: bool, seed: int) -> None:
    many = store(dict.fromkeys(range(70), 3), splits=1, compressions=1)  # enough for bounds
    rng = np.random.default_rng(0)
    person = rng.uniform(60, 190, (70, 68, 2))[many.identity] + rng.normal(0, 9, (len(many.video), 1, 2))
    coarse = np.round((person + rng.normal(0, 2, person.shape)) / 16) * 16  # some are equally near
    twins = coarse[rng.integers(len(coarse), size=len(coarse))].astype(np.float32)
    if not even:
        twins[rng.random(len(twins)) < 0.1, 5, 1] = np.nan
    rows = dataclasses.replace(many, landmarks=twins)
    settings = Blending(candidates=0.9)
    planned = plan(rows, settings, seed)
    some = range(0, len(twins), 9 * 9)  # the plain way is slow: one row of every ninth video
    assert [each for each in planned if each.outside in some] == plainly(rows, settings, seed, some)
