"""Nothing is decoded or found twice, and what is taken as the faces are found is what decoding again would give."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from pipeline.crop import kept, staging
from pipeline.crop.groups import groups, index_group
from pipeline.faces import dlib
from pipeline.video import frames


@pytest.fixture
def one_fake(tiny):
    """Return a real with one of its fakes, in every compression, and how they are cropped."""
    job = tiny.job("unused")
    group = groups(job.dataset)[0]
    return dataclasses.replace(group, fakes=group.fakes[:1]), job.dataset.root, job.recipe


@pytest.fixture
def counted(monkeypatch):
    """Count the frames that are read, by file and index, and the faces that landmarks are found in."""
    read, place, decoded, found = frames.read, dlib.landmarks, Counter(), Counter()

    def reading(path, *rest):
        for index, picture in read(path, *rest):
            decoded[path, index] += 1
            yield index, picture

    def placing(*given):
        found["faces"] += 1
        return place(*given)

    monkeypatch.setattr(frames, "read", reading)
    monkeypatch.setattr(dlib, "landmarks", placing)
    return decoded, found


def test_every_frame_is_decoded_once_and_landmarks_are_found_once_a_face(one_fake, counted, tmp_path):
    group, root, recipe = one_fake
    decoded, found = counted
    kept_rows, lost = index_group(group, root, recipe, False, tmp_path)
    part = staging.read_part(tmp_path, group.number)
    assert lost == 0
    assert set(decoded.values()) == {1}
    read = Counter(path for path, _ in decoded)
    assert {root / video.path for video in group.videos} <= set(read)
    versions = len(group.reals)
    assert versions > 1
    assert found["faces"] == kept_rows / versions
    points = {}
    columns = [part.columns[name] for name in ("video", "frame", "track", "landmarks")]
    for video, frame, track, own in zip(*columns, strict=True):
        shown = part.sources[video].video
        np.testing.assert_array_equal(points.setdefault((shown.method, shown.id, frame, track), own), own)
    assert np.isfinite(part.columns["landmarks"]).all()


def test_a_crowd_is_decoded_again_to_the_same_rows(one_fake, counted, tmp_path, monkeypatch):
    group, root, recipe = one_fake
    group = dataclasses.replace(group, fakes=())
    decoded, _ = counted
    parts = []
    for few, folder in ((kept.FEW, tmp_path / "few"), (0, tmp_path / "crowd")):
        monkeypatch.setattr(kept, "FEW", few)
        folder.mkdir()
        decoded.clear()
        index_group(group, root, recipe, False, folder)
        part = staging.read_part(folder, group.number)
        offset = part.columns.pop("offset")
        parts.append({**part.columns, "crops": staging.read_crops(folder, group.number, offset, recipe.cropping.size)})
        again = {path for (path, _), times in decoded.items() if times > 1}
        assert again == (set() if few else {root / group.reals[0].path})
    one, other = parts
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
