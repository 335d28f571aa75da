"""Third step of a group's task: judge each cropped fake against its real. What is no pair is not kept.

The place for everything that is measured between a fake and its real once both are cropped.
"""

import statistics
from collections.abc import Sequence

from pipeline.crop.plan import Plan, Take
from pipeline.crop.reading import Context
from pipeline.crop.staging import Reject, Row
from pipeline.crop.versions import Cropped
from pipeline.errors import DecodeError
from pipeline.manifest import Video
from pipeline.video import frames


def judge(cropped: Cropped, take: Take, plan: Plan, context: Context) -> Cropped:
    """Refuse a fake whose background is not its real's, in every compression; record what a good one's mask lacks.

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
        `cropped` with more rejects, and without rows where the fake is refused.
    """
    if not cropped.rows:
        return cropped
    if reason := _mismatch(cropped.rows, take.sources[0].video, context.recipe.detection.min_alignment):
        counts = [sum(plan.sources[row.video] is source for row in cropped.rows) for source in take.sources]
        refused = [
            Reject(source.video, -1, "pair", reason, count)
            for source, count in zip(take.sources, counts, strict=True)
            if count
        ]
        return Cropped((), (*cropped.rejects, *refused))
    lacking = _lacking_mask(take.sources[0].video, sorted({row.frame for row in cropped.rows}), context)
    return Cropped(cropped.rows, (*cropped.rejects, *lacking))


def _mismatch(rows: Sequence[Row], fake: Video, least: float) -> str:
    """Return why the rows of a fake do not match their real's; empty where they do."""
    score = statistics.median(row.alignment for row in rows)
    if score >= least:
        return ""
    return f"its background does not match {fake.target}'s: SSIM {score:.3f}, at least {least} is needed"


def _lacking_mask(fake: Video, kept: Sequence[int], context: Context) -> list[Reject]:
    """Return from which kept frame on a fake has no mask; its rows stay, without that label."""
    if not fake.mask:
        return []
    try:
        count = frames.probe(context.root / fake.mask).frames
        reason = f"its mask {fake.mask} has only {count} frame{'s' * (count != 1)}"
    except DecodeError as error:
        count, reason = 0, str(error)
    lost = [frame for frame in kept if frame >= count][:1]
    return [Reject(fake, frame, "mask", f"{reason.rstrip('.')}: no mask label from here on", rows=0) for frame in lost]
