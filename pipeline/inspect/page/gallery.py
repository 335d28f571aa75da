"""Crops for the page: worst alignment first, each label laid over the crop, a fake beside its real, blends."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.labels import LABELS, NO_LABEL
from pipeline.store import Names

SIDE = 160  # pixels of a picture's side
SHOWN = 24  # faces in the gallery, pairs and blends: a page of about 5 MB
QUALITY = 80
COLOURS = {1: (255, 60, 40), NO_LABEL: (70, 110, 255)}  # RGB of manipulated and of unknown
STRENGTH = 0.55  # of a colour laid over the crop
Columns = Mapping[str, NDArray[Any]]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Card:
    """One face of the gallery: pictures are data URLs."""

    title: str
    split: str
    method: str
    compression: str
    note: str
    pictures: dict[str, str]


def faces(group: store.Group, columns: Columns, names: Names) -> list[Card]:
    """Return fakes, the worst alignment of each method and compression first, with every label as an overlay."""
    kinds = [kind for kind in LABELS if kind in group]
    cards = []
    for row in worst(columns):
        image = _read(group, "image", row)
        pictures = {"crop": encoded(image)}
        if columns["real"][row] >= 0:
            pictures["real"] = encoded(_read(group, "image", int(columns["real"][row])))
        pictures |= {kind: encoded(overlay(image, _read(group, kind, row), kind)) for kind in kinds}
        title = f"row {row}, {columns['video_id'][columns['video'][row]]}, frame {columns['frame'][row]}"
        note = f"alignment {columns['alignment'][row]:.3f}, score {columns['score'][row]:.3f}"
        named = {name: getattr(names, name)[columns[name][row]] for name in ("split", "method", "compression")}
        cards.append(Card(title=title, note=note, pictures=pictures, **named))
    return cards


def worst(columns: Columns) -> list[int]:
    """Choose fakes: in turn from each method and compression, those with the lowest alignment first."""
    fakes = np.flatnonzero(columns["method"] != 0)
    order = fakes[np.argsort(np.nan_to_num(columns["alignment"][fakes], nan=2.0), kind="stable")]
    turn: dict[tuple[int, int], int] = {}
    keyed = []
    for row in order.tolist():
        key = (int(columns["method"][row]), int(columns["compression"][row]))
        turn[key] = turn.get(key, 0) + 1
        keyed.append((turn[key], row))
    chosen = [row for _, row in sorted(keyed, key=lambda each: each[0])[:SHOWN]]
    return sorted(chosen, key=lambda row: float(np.nan_to_num(columns["alignment"][row], nan=2.0)))


def blends(group: store.Group) -> list[Card]:
    """Return blends, evenly spaced in the store's order, with their ring and hull as overlays."""
    if store.BLENDS not in group:
        return []
    inner = store.group_of(group, store.BLENDS)
    kinds, labels = store.meanings(inner, "kind"), ("hull", "boundary")
    columns = store.read_columns(inner)
    rows = np.unique(np.linspace(0, max(len(columns["kind"]) - 1, 0), min(SHOWN, len(columns["kind"]))).astype(int))
    cards = []
    for row in rows.tolist():
        image = _read(inner, "image", row)
        pictures = {"blend": encoded(image)} | {
            kind: encoded(overlay(image, _read(inner, kind, row), kind)) for kind in labels
        }
        note = f"inside row {columns['inside'][row]}, outside row {columns['outside'][row]}"
        cards.append(Card(f"blend {row}", "", kinds[columns["kind"][row]], "", note, pictures))
    return cards


def overlay(image: Picture, label: NDArray[Any], kind: str) -> Picture:
    """Lay a label over its crop: red is manipulated, blue unknown; a scaled label is shown as its magnitude in grey."""
    about = LABELS[kind]
    if about.scale is not None:
        grey = np.clip(np.abs(label.astype(np.float32)) * about.scale * about.gain, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    painted = image.astype(np.float32)
    for value, colour in COLOURS.items():
        painted[label == value] = (1 - STRENGTH) * painted[label == value] + STRENGTH * np.array(colour)
    return np.rint(painted).astype(np.uint8)


def encoded(image: Picture) -> str:
    """Return a picture, made a square of the page's size, as a data URL."""
    return jpeg(np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8))


def jpeg(image: Picture) -> str:
    """Return a picture as it is as a data URL."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _read(group: store.Group, name: str, row: int) -> NDArray[Any]:
    return np.asarray(store.read(store.array_of(group, name), [row])[0])
