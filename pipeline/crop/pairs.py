"""Third step of a group's task: judge each cropped fake against its real. What is no pair is not kept.

The place for everything that is measured between a fake and its real once both are cropped.
"""

import statistics
from collections.abc import Sequence

from pipeline.config import Detection
from pipeline.crop import masks
from pipeline.crop.plan import Plan, Take
from pipeline.crop.reading import Context
from pipeline.crop.staging import Reject, Row
from pipeline.crop.versions import Cropped
from pipeline.manifest import Video


def judge(cropped: Cropped, take: Take, plan: Plan, context: Context) -> Cropped:
    """Refuse the files of a fake whose background is not their real's; record what a good one's mask lacks.

    Each compression is judged by itself: a file that shows somebody else is refused although its twins are right.

    Parameters
    ----------
    cropped : Cropped
        Rows of the fake.
    take : Take
        What was planned for it.
    plan : Plan
    context : Context

    Returns
    -------
    Cropped
        `cropped` with more rejects, and without the rows of refused files.
    """
    rows: list[Row] = []
    refused: list[Reject] = []
    for source in take.sources:
        own = [row for row in cropped.rows if plan.sources[row.video] is source]
        if own and (reason := _mismatch(own, source.video, context.recipe.detection)):
            refused.append(Reject(source.video, -1, "pair", reason, len(own)))
        else:
            rows += own
    if not rows:
        return Cropped((), (*cropped.rejects, *refused))
    lacking = masks.lacking(take.sources[0], sorted({row.frame for row in rows}), context)
    return Cropped(tuple(rows), (*cropped.rejects, *refused, *lacking))


def _mismatch(rows: Sequence[Row], fake: Video, settings: Detection) -> str:
    """Return why the rows of one file do not match their real's; empty where they do."""
    side = statistics.median(float(row.box[2] - row.box[0]) for row in rows)
    if side < settings.min_face:
        return f"its faces are {side:.1f} pixels wide, at least {settings.min_face} are needed"
    score = statistics.median(row.alignment for row in rows)
    if score < settings.min_alignment:
        needed = f"at least {settings.min_alignment} is needed"
        return f"its background does not match {fake.target}'s: SSIM {score:.3f}, {needed}"
    return ""
