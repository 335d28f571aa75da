"""What one group's task does: probe, sample, find faces, choose the manipulated one, crop; every loss is recorded."""

import hashlib
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.crop.staging import Source
from pipeline.crop.versions import Draft, Faces, Reader, RealFrames, crop_versions
from pipeline.errors import DecodeError
from pipeline.faces import choice
from pipeline.faces.tracks import Track, follow
from pipeline.manifest import REAL, Video
from pipeline.video import checksum, frames, sampling

PROBED_PAIRS = 8  # frames compared to choose the manipulated face

Versions = tuple[Video, ...]  # the compressions of one video, least compressed first


def gather(draft: Draft, reals: Versions, fakes: Sequence[Versions]) -> None:
    """Stage every usable row of one real video and its fakes, or of one fake without a real."""
    main = reals or fakes[0]
    opened = {video: source for video in main if (source := _open(draft, video))}
    if not opened:
        for video in (video for versions in fakes for video in versions if versions is not main):
            draft.reject(video, -1, "pair", f"its real video {main[0].path} cannot be read", _wanted(draft, video))
        return
    first = next(iter(opened.values()))
    count = min(source.frames for source in opened.values())
    chosen = sampling.choose(count, _wanted(draft, main[0]), draft.recipe.sampling, _seed(draft, main[0].id))
    faces = _find(draft, first, chosen)
    if not reals:
        crop_versions(draft, list(opened.values()), faces, chosen, choice.dominant(faces.tracks), None)
        return
    readable = {video: source for versions in fakes for video in versions if (source := _open(draft, video, opened))}
    used: dict[Versions, tuple[int, ...]] = {}
    for versions in fakes:
        sources = [readable[video] for video in versions if video in readable]
        if sources:
            used[versions] = _manipulated(draft, faces, sources[0], opened)
    everyone = sorted({track for chosen_tracks in used.values() for track in chosen_tracks})
    real = crop_versions(draft, list(opened.values()), faces, chosen, everyone or choice.dominant(faces.tracks), None)
    for versions, of_fake in used.items():
        _crop_fake(draft, [readable[video] for video in versions if video in readable], faces, of_fake, real)


def _open(draft: Draft, video: Video, reals: dict[Video, Source] | None = None) -> Source | None:
    """Probe one file; a fake whose real of the same compression is gone is none either."""
    if reals is not None and not any(real.compression == video.compression for real in reals):
        draft.reject(
            video, -1, "pair", f"there is no readable real video in {video.compression}", _wanted(draft, video)
        )
        return None
    path = draft.root / video.path
    try:
        probe = frames.probe(path)
        source = Source(video, probe.frames, probe.width, probe.height, checksum.sha256(path))
    except OSError as error:  # DecodeError is one
        draft.reject(video, -1, "probe", str(error), _wanted(draft, video))
        return None
    if probe.damage:  # what can be read is used; that there should be more is not forgotten
        draft.reject(video, -1, "probe", probe.damage, rows=0)
    draft.sources.append(source)
    return source


def _wanted(draft: Draft, video: Video) -> int:
    return draft.recipe.sampling.count(video.method == REAL, video.split)


def _seed(draft: Draft, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{draft.recipe.seed}/{name}".encode()).digest()[:8], "big")


def _find(draft: Draft, source: Source, chosen: NDArray[np.int64]) -> Faces:
    """Follow every person through the sampled frames; a picture that is a crop already is one face."""
    if draft.cropped:
        box = np.array([0, 0, source.width, source.height], dtype=np.float32)
        whole = Track(chosen, np.tile(box, (len(chosen), 1)), np.ones(len(chosen), dtype=np.float32))
        return Faces(chosen, (whole,), source.width, source.height, {})
    reader = Reader(draft, source, chosen)
    tracks = follow(reader, draft.recipe.detection, draft.device)
    unread = {frame: reader.reason for frame in map(int, chosen) if frame not in reader.got}
    return Faces(chosen, tracks, source.width, source.height, unread)


def _manipulated(draft: Draft, faces: Faces, fake: Source, reals: dict[Video, Source]) -> tuple[int, ...]:
    """Choose the face that differs from the real's; with one person there is nothing to choose."""
    if len(faces.tracks) <= 1:
        return tuple(range(len(faces.tracks)))
    real = next(source for video, source in reals.items() if video.compression == fake.video.compression)
    both = faces.frames[faces.frames < min(fake.frames, real.frames)]
    probed = sampling.subset(both, PROBED_PAIRS)
    pairs = zip(Reader(draft, fake, probed), Reader(draft, real, probed), strict=False)  # a damaged file ends both
    return choice.choose(faces.tracks, ((index, ours, theirs) for (index, ours), (_, theirs) in pairs)).tracks


def _crop_fake(draft: Draft, sources: list[Source], faces: Faces, used: tuple[int, ...], real: RealFrames) -> None:
    """Crop one fake in every compression, where its real was cropped; refuse it whole when it is no pair."""
    video = sources[0].video
    counted = draft.recipe.sampling.method in ("even", "random")
    wanted = sampling.subset(faces.frames, _wanted(draft, video)) if counted else faces.frames
    before = len(draft.rows)
    crop_versions(draft, sources, faces, wanted, used, real)
    new = draft.rows[before:]
    if not new:
        return
    score = statistics.median(row["alignment"] for row in new)
    if score < draft.recipe.detection.min_alignment:
        del draft.rows[before:]
        reason = (
            f"its background does not match {video.target}'s: SSIM {score:.3f}, at least "
            f"{draft.recipe.detection.min_alignment} is needed"
        )
        for source in sources:
            if lost := sum(draft.sources[row["video"]] is source for row in new):
                draft.reject(source.video, -1, "pair", reason, lost)
        return
    _check_mask(draft, video, sorted({row["frame"] for row in new}))


def _check_mask(draft: Draft, video: Video, kept: list[int]) -> None:
    """Record what a fake's mask lacks; its rows stay, without that label."""
    if not video.mask:
        return
    try:
        count = frames.probe(draft.root / video.mask).frames
        reason = f"its mask {video.mask} has only {count} frame{'s' * (count != 1)}"
    except DecodeError as error:
        count, reason = 0, str(error)
    if lost := [frame for frame in kept if frame >= count]:
        draft.reject(video, lost[0], "mask", f"{reason.rstrip('.')}: no mask label from here on", rows=0)
