"""Label `boundary`: the ring along the edge of the hull, where a face would have been blended in."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import NO_LABEL, UNWRITTEN, LabelKind


def ring(mask: NDArray[np.uint8], kernel: int) -> NDArray[np.uint8]:
    """Return dilation minus erosion of a mask, once each, by an ellipse.

    Pixels beyond the image's edge take no part, so the image's edge is no boundary: the ring of a full mask is empty.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1.
    kernel : int
        Side of the ellipse in pixels.

    Returns
    -------
    ndarray of shape (H, W), uint8
        0 or 1.

    References
    ----------
    Chen et al., Watching the BiG artifacts, section 3.1, M_Ex = D(M_in) - E(M_in).
    """
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel))
    result: NDArray[np.uint8] = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, ellipse)
    return result


def compute(hull: NDArray[np.uint8], settings: Labelling, level: str = "raw") -> NDArray[np.uint8]:
    """Label the ring along the edge of a `hull` label.

    Parameters
    ----------
    hull : ndarray of shape (H, W), uint8
        1 inside, 0 outside, `NO_LABEL` where no label is possible.
    settings : Labelling
        `boundary_kernel`.
    level : str
        Takes no part: the hull has taken it into account.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 = boundary, 0 = not, `NO_LABEL` where the hull has it.
    """
    unlabelled = hull == NO_LABEL
    result = ring((hull == 1).astype(np.uint8), settings.boundary_kernel)
    result[unlabelled] = NO_LABEL
    return result


def parameters(settings: Labelling) -> dict[str, Any]:
    """Return everything that decides the values of this label."""
    return {"kernel_ellipse": settings.boundary_kernel, "iterations": 1, "border": "pixels outside take no part"}


KIND = LabelKind(
    name="boundary",
    dtype="uint8",
    fill=UNWRITTEN,
    source="hull",
    description="Extrinsic artefacts, M_Ex: the hull dilated minus the hull eroded. 0 everywhere on a real.",
    units="1",
    reference="Chen et al., Watching the BiG artifacts: Exposing DeepFake videos via Bi-granularity artifacts, "
    "Pattern Recognition, section 3.1.",
    flags=("elsewhere", "boundary"),
    parameters=parameters,
    compute=compute,
)
