"""Second step of a group's task: crop the planned faces from every version of one video.

A frame that one version lacks is kept of none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.crop import crops, excluding
from pipeline.crop.alignment import alignment, thumbnail
from pipeline.crop.known import Asked, Known, NotAsBefore, Rows
from pipeline.crop.plan import Found, Plan, Take
from pipeline.crop.reading import Context, Frame, Reader
from pipeline.crop.staging import Crops, Reject, Row, Source
from pipeline.faces import near
from pipeline.manifest import REAL

Shown = tuple[int, Frame, list[int]]  # a frame, its thumbnail, and where the crops of its faces are staged


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
    known: Known = field(default_factory=dict)  # rows of a finished store that are exactly what is planned, by file

    def asked(self, take: Take, source: Source) -> Asked:
        """Return frame, face and enlarged box, in the file's own pixels, of every row that is planned of a file."""
        faces, size = self.plan.faces, (source.width, source.height)
        return [
            (frame, face, self._box(face, size)) for frame in take.frames.tolist() for face in take.faces(faces, frame)
        ]

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
                what = "the face was not found" if faces.tracks else "no face was found"
                lost.setdefault(frame, what + near.told(faces.near.get(frame), self.context.recipe.detection))
        for source in take.sources:
            lost = self._unreached(source, take, wanted) | lost
        thumbs: dict[tuple[str, int], NDArray[np.uint8]] = {}
        rows: list[Row] = []
        for source in take.sources:
            level = source.video.compression
            if known := self.known.get(source.video.path):
                if lost.keys() & {*known.frame.tolist()}:
                    raise NotAsBefore
                rows += self._copied(source, known, self.asked(take, source))
                continue
            still = {frame: take.faces(faces, frame) for frame in wanted if frame not in lost}
            reader = Reader(self.context, source, list(still))
            first = real is None and source is take.sources[0]  # the file that the faces were found in
            for frame, thumb, offsets in (first and self._kept(still)) or self._cropped(reader, still):
                thumbs[level, frame] = thumb
                pair = (thumb, real.thumbs[level, frame]) if real else None
                places = zip(still.pop(frame), offsets, strict=True)
                rows += [self._row(source, frame, face, offset, pair) for face, offset in places]
            told = "" if len(take.sources) == 1 else f"{level}: "
            lost |= {frame: told + reader.why(frame) for frame in still}
        if any(row.frame in lost for row in rows if self.plan.sources[row.video].video.path in self.known):
            raise NotAsBefore  # a version that is new lacks it: what is left has to be judged again
        stage = "pair" if real else "faces"
        rejects = [
            Reject(source.video, frame, stage, lost[frame])
            for source in take.sources
            for frame in wanted
            if frame in lost
        ]
        kept = tuple(row for row in rows if row.frame not in lost)
        return Cropped(kept, (*excluding.rejects(take), *rejects)), RealFrames(thumbs, lost)

    def _copied(self, source: Source, known: Rows, asked: Asked) -> list[Row]:
        """Stage the crops that a finished store has of one file."""
        number = self.plan.sources.index(source)
        return [
            Row(number, frame, face.track, self.staged.append(crop), box, face.score, aligned)
            for (frame, face, box), crop, aligned in zip(asked, known.crops(), known.alignment.tolist(), strict=True)
        ]

    def _kept(self, wanted: Mapping[int, Sequence[Found]]) -> list[Shown]:
        """Return what was cropped as the faces were found; nothing if that is not all that is wanted."""
        kept = self.plan.faces.kept
        if kept is None or not kept.has((frame, face.box) for frame, faces in wanted.items() for face in faces):
            return []
        return [
            (frame, kept.thumbs[frame], [kept.offset(frame, face.box) for face in faces])
            for frame, faces in wanted.items()
        ]

    def _cropped(self, reader: Reader, wanted: Mapping[int, Sequence[Found]]) -> Iterator[Shown]:
        """Decode a file and crop the wanted faces of each frame."""
        size, settings = (reader.source.width, reader.source.height), self.context.recipe.cropping
        for frame, picture in reader:
            boxes = [self._box(face, size) for face in wanted[frame]]
            yield frame, thumbnail(picture), [self.staged.append(crops.crop(picture, box, settings)) for box in boxes]

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

    def _box(self, face: Found, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the box to crop, pixels of a version of this size (width, height)."""
        return crops.rescale(self._enlarged(face), (self.plan.faces.width, self.plan.faces.height), size)

    def _row(self, source: Source, frame: int, face: Found, offset: int, pair: tuple[Frame, Frame] | None) -> Row:
        """Describe one face that was cropped."""
        unpaired = 1.0 if source.video.method == REAL else float("nan")
        return Row(
            video=self.plan.sources.index(source),
            frame=frame,
            track=face.track,
            offset=offset,
            box=self._box(face, (source.width, source.height)),
            score=face.score,
            alignment=alignment(*pair, self._enlarged(face), self.plan.faces.width) if pair else unpaired,
        )
