"""People in a store's videos: how many a frame shows, and how the manipulated ones were chosen, in words."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]


def summarise(columns: Columns) -> dict[str, Any]:
    """Return figures about videos with several faces in a frame, as plain values; none of a store without any."""
    rows = several(columns)
    if not rows:
        return {}
    by = Counter(chosen.partition(":")[0] for _, _, chosen in rows if chosen)
    return {"videos": len(rows), "most": max(people for _, people, _ in rows), "chosen_by": dict(by.most_common())}


def several(columns: Columns) -> list[tuple[str, int, str]]:
    """Return path, most faces in one frame, and what was chosen and why, of every video with several."""
    if "video_people" not in columns:
        return []
    numbers = np.flatnonzero(columns["video_people"] > 1).tolist()
    return [
        (str(columns["video_path"][number]), int(columns["video_people"][number]), str(columns["video_chosen"][number]))
        for number in numbers
    ]


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Say the figures of `summarise` for one screen."""
    if figures:
        by = ", ".join(f"{what} in {videos}" for what, videos in figures["chosen_by"].items())
        yield (
            f"several people: {figures['videos']} files show up to {figures['most']} faces in a frame; "
            f"which are manipulated was decided by {by} (column video_chosen; forgery-prep report lists them)"
        )
