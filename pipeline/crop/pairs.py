"""Third step of a group's task: judge each cropped fake against its real. What is no pair is not kept.

The place for everything that is measured between a fake and its real once both are cropped.
"""

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pipeline.config import Detection
from pipeline.crop import masks
from pipeline.crop.following import Original, Thumbnails
from pipeline.crop.plan import Plan, Take
from pipeline.crop.reading import Context
from pipeline.crop.staging import Reject, Row, Source
from pipeline.crop.versions import Cropped, RealFrames
from pipeline.registration.relation import Probed, probes, register


@dataclass(frozen=True, eq=False)
class Pairs:
    """Judges the fakes of one real; the real's frames that they are compared with are read once for all."""

    plan: Plan
    context: Context
    real: RealFrames
    known: Collection[str] = ()  # files whose rows were judged when a finished store was made, and are the same
    read: dict[str, Thumbnails] = field(default_factory=dict)  # by compression

    def judge(self, cropped: Cropped, pictures: RealFrames, take: Take) -> Cropped:
        """Refuse the files of a fake that do not show what their real's do; record what a good one's mask lacks.

        Each compression is judged by itself: a file that shows somebody else is refused although its twins are right.

        Parameters
        ----------
        cropped : Cropped
            Rows of the fake.
        pictures : RealFrames
            Thumbnails of its frames.
        take : Take
            What was planned for it.

        Returns
        -------
        Cropped
            `cropped` with more rejects, and without the rows of refused files.
        """
        rows: list[Row] = []
        refused: list[Reject] = []
        for source in take.sources:
            own = [row for row in cropped.rows if self.plan.sources[row.video] is source]
            judged = source.video.path in self.known
            reason = own and not judged and self._refused(own, source, take, pictures)
            if reason:
                refused.append(Reject(source.video, -1, "pair", reason, len(own)))
            else:
                rows += own
        if not rows:
            return Cropped((), (*cropped.rejects, *refused))
        lacking = masks.lacking(take.sources[0], sorted({row.frame for row in rows}), self.context)
        return Cropped(tuple(rows), (*cropped.rejects, *refused, *lacking))

    def _refused(self, rows: Sequence[Row], fake: Source, take: Take, pictures: RealFrames) -> str:
        """Return why a file is no pair with its real; empty where it is one."""
        mismatch = _mismatch(rows, fake, self.context.recipe.detection)
        return mismatch or self._unregistered(rows, fake, take, pictures)

    def _unregistered(self, rows: Sequence[Row], fake: Source, take: Take, pictures: RealFrames) -> str:
        """Return how one file is related to its real other than frame by frame; empty where it is not.

        Pictures that are face crops already have no surroundings to measure that by. What `follow` has read by its
        relation was measured when that was found.
        """
        if self.context.recipe.detection.registration != "refuse" or self.context.cropped:
            return ""
        level = fake.video.compression
        real = self._original(level, take)
        chosen = probes(sorted({row.frame for row in rows}))
        thumbs = {frame: pictures.thumbs[level, frame] for frame in chosen}
        size = (fake.width, fake.height)
        found = register(Probed(thumbs, real.around, size, real.size, real.source.frames), real.thumbnails).describe()
        return f"it does not show {fake.video.target} frame by frame: {found}" if found else ""

    def _original(self, level: str, take: Take) -> Original:
        """Return the real in one compression, with the faces that a fake of it was made in."""
        source = next(source for source in self.plan.main.sources if source.video.compression == level)
        if level not in self.read:
            known = {frame: thumb for (of, frame), thumb in self.real.thumbs.items() if of == level}
            self.read[level] = Thumbnails(self.context, source, known)
        return Original(source, self.plan.faces.boxes(take.tracks), self.read[level])


def _mismatch(rows: Sequence[Row], fake: Source, settings: Detection) -> str:
    """Return why the rows of one file do not match their real's; empty where they do."""
    side = statistics.median(float(row.box[2] - row.box[0]) for row in rows) / fake.enlarged
    if side < settings.min_face:
        return f"its faces are {side:.1f} pixels wide, at least {settings.min_face} are needed"
    score = statistics.median(row.alignment for row in rows)
    if score < settings.min_alignment:
        needed = f"at least {settings.min_alignment} is needed"
        return f"its background does not match {fake.video.target}'s: SSIM {score:.3f}, {needed}"
    return ""
