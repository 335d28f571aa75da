"""Pixel labels, one file per kind, and the table of them.

A new kind is one file with a `KIND` and one entry here; what is stored, listed and documented comes from the table.
"""

from pipeline.labels import boundary, hull, mask, noise, ssim
from pipeline.labels._kind import NO_LABEL, UNWRITTEN, LabelKind

LABELS: dict[str, LabelKind] = {
    module.KIND.name: module.KIND
    for module in (ssim, mask, noise, hull, boundary)  # boundary is made from hull
}

__all__ = ["LABELS", "NO_LABEL", "UNWRITTEN", "LabelKind"]
