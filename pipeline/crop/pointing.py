"""Landmarks of cropped faces: found once a face, on the least compressed version of its video that is kept.

All versions show one face at one place in their crops, so they share its points, and compression moves none. It is a
pass of its own over crops that are staged: the predictor's 100 MB then stay in the processor's cache, which a decoder
between two faces would fill.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.crop import crops
from pipeline.crop.plan import Faces, Plan
from pipeline.crop.reading import Context, Frame
from pipeline.crop.staging import Crops, Row, Source
from pipeline.faces import dlib


def pointed(rows: Sequence[Row], plan: Plan, context: Context, staged: Crops) -> tuple[Row, ...]:
    """Return rows with their landmarks.

    Parameters
    ----------
    rows : sequence of Row
        Of one video, those of its least compressed version first.
    plan : Plan
    context : Context
    staged : Crops
        Holds their crops.

    Returns
    -------
    tuple of Row
        In the same order.
    """
    known: dict[tuple[int, int], NDArray[np.float32]] = {}
    for row in rows:
        if (row.frame, row.track) not in known:
            crop = staged.read(row.offset)
            detected = _detected(row, plan.faces, plan.sources[row.video], context.recipe)
            known[row.frame, row.track] = _whole(crop) if context.cropped else _within(crop, detected, context.recipe)
    return tuple(dataclasses.replace(row, landmarks=known[row.frame, row.track]) for row in rows)


def _detected(row: Row, faces: Faces, source: Source, recipe: Recipe) -> NDArray[np.float32]:
    """Return the detection that a row was cropped around, in pixels of its crop."""
    [face] = faces.at(row.frame, [row.track])
    own = crops.rescale(face.box, (faces.width, faces.height), (source.width, source.height))
    return crops.to_crop(own, row.box, recipe.cropping)


def _within(crop: Frame, detected: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    return dlib.landmarks(crop, detected, recipe.detection.detector)


def _whole(crop: Frame) -> NDArray[np.float32]:
    """Place the landmarks in a picture that was a crop already, from a detection made now."""
    found = dlib.detect(crop)
    return dlib.landmarks(crop, found[0].box) if found else np.full((dlib.POINTS, 2), np.nan, dtype=np.float32)
