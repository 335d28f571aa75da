"""Second step of a group's task: crop the planned faces from every version of one video.

A frame that one version lacks is kept of none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.crop import crops, excluding
from pipeline.crop.alignment import alignment, thumbnail
from pipeline.crop.plan import Found, Plan, Take
from pipeline.crop.reading import Context, Frame, Reader
from pipeline.crop.staging import Crops, Reject, Row, Source
from pipeline.faces import dlib
from pipeline.manifest import REAL


@dataclass(frozen=True, eq=False)
class RealFrames:
    """Thumbnails and losses of a real video's frames; its fakes are compared with them."""

    thumbs: Mapping[tuple[str, int], NDArray[np.uint8]]  # by (compression, frame), from `alignment.thumbnail`
    lost: Mapping[int, str]  # frame -> reason why it is not kept


@dataclass(frozen=True, eq=False)
class Cropped:
    """Rows kept of one video in all its versions, and rejects for the others."""

    rows: tuple[Row, ...]
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, eq=False)
class Cropper:
    """Crops what a plan asks for and writes the pixels to the group's staged part."""

    plan: Plan
    context: Context
    staged: Crops

    def crop(self, take: Take, real: RealFrames | None = None) -> tuple[Cropped, RealFrames]:
        """Crop every version of one video and keep the frames that all versions have.

        Parameters
        ----------
        take : Take
            Versions, frames and faces to crop.
        real : RealFrames, optional
            Of the real video, where `take` is a fake of it.

        Returns
        -------
        cropped : Cropped
            Rows ordered by version, frame, face. Crops of frames that a later version lacks stay staged, without a row.
        frames : RealFrames
            Of this video, for its fakes.
        """
        faces, gone = self.plan.faces, {frame for frame, _ in take.dropped}
        wanted = [frame for frame in take.frames.tolist() if frame not in gone or take.faces(faces, frame)]
        lost = dict(real.lost if real else faces.unread)
        for frame in wanted:
            if not take.faces(faces, frame):
                lost.setdefault(frame, "the face was not found" if faces.tracks else "no face was found")
        for source in take.sources:
            lost = self._unreached(source, take, wanted) | lost
        thumbs: dict[tuple[str, int], NDArray[np.uint8]] = {}
        rows: list[Row] = []
        for source in take.sources:
            level = source.video.compression
            reader = Reader(self.context, source, [frame for frame in wanted if frame not in lost])
            for frame, picture in reader:
                thumbs[level, frame] = thumb = thumbnail(picture)
                pair = (thumb, real.thumbs[level, frame]) if real else None
                rows += [self._row(source, frame, picture, face, pair) for face in take.faces(faces, frame)]
            told = "" if len(take.sources) == 1 else f"{level}: "
            lost = {frame: told + reader.why(frame) for frame in wanted if frame not in reader.got} | lost
        stage = "pair" if real else "faces"
        rejects = [
            Reject(source.video, frame, stage, lost[frame])
            for source in take.sources
            for frame in wanted
            if frame in lost
        ]
        kept = tuple(row for row in rows if row.frame not in lost)
        return Cropped(kept, (*excluding.rejects(take), *rejects)), RealFrames(thumbs, lost)

    def _unreached(self, source: Source, take: Take, wanted: Sequence[int]) -> dict[int, str]:
        """Return the frames in which the picture of a fake that is followed ends within a face's box, and why."""
        faces, followed = self.plan.faces, source.followed
        if followed is None:
            return {}
        size, told = (faces.width, faces.height), f"its picture ends within the face's box (followed: {followed.told})"
        boxes = {frame: [self._enlarged(face) for face in take.faces(faces, frame)] for frame in wanted}
        return {frame: told for frame in wanted if not all(followed.reaches(box, size) for box in boxes[frame])}

    def _enlarged(self, face: Found) -> NDArray[np.float32]:
        """Return the box to crop, pixels of the video that the face was found in."""
        faces = self.plan.faces
        if self.context.cropped:
            return face.box
        return crops.enlarge(face.box, faces.width, faces.height, self.context.recipe.cropping)

    def _row(self, source: Source, frame: int, picture: Frame, face: Found, pair: tuple[Frame, Frame] | None) -> Row:
        """Crop one face and describe it."""
        faces, settings = self.plan.faces, self.context.recipe.cropping
        enlarged = self._enlarged(face)
        sizes = (faces.width, faces.height), (source.width, source.height)
        box = crops.rescale(enlarged, *sizes)
        crop = crops.crop(picture, box, settings)
        unpaired = 1.0 if source.video.method == REAL else float("nan")
        return Row(
            video=self.plan.sources.index(source),
            frame=frame,
            track=face.track,
            offset=self.staged.append(crop),
            box=box,
            score=face.score,
            alignment=alignment(*pair, enlarged, faces.width) if pair else unpaired,
            landmarks=self._landmarks(crop, crops.to_crop(crops.rescale(face.box, *sizes), box, settings)),
        )

    def _landmarks(self, crop: Frame, detected: NDArray[np.float32]) -> NDArray[np.float32]:
        """Place the landmarks from the detection; in a picture that was a crop already, from one made now."""
        if not self.context.cropped:
            return dlib.landmarks(crop, detected, self.context.recipe.detection.detector)
        found = dlib.detect(crop)
        return dlib.landmarks(crop, found[0].box) if found else np.full((dlib.POINTS, 2), np.nan, dtype=np.float32)
