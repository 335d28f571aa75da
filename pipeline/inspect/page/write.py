"""The page: what is known of a store, put into its template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from pipeline import store
from pipeline.errors import ConfigError
from pipeline.inspect import info, people
from pipeline.inspect.page import apart, gallery, lost, measures, plots
from pipeline.labels import LABELS
from pipeline.store import Names, stored_names
from pipeline.store.writing import writing

Columns = Mapping[str, NDArray[Any]]


def write(location: str, path: Path, root: Path | None = None) -> None:
    """Write one self-contained HTML page about a store.

    Columns are read whole; pixels row by row, of a sample of the rows, so a large store is no matter.

    Parameters
    ----------
    location : str
        Path or URL of a finished store.
    path : Path
        File to write.
    root : Path, optional
        The dataset's folder, for pictures of what was rejected.

    Raises
    ------
    ConfigError
        There is no such folder.
    StoreError
        There is no finished store.
    DamageError
        A row that is shown cannot be read back.
    WriteError
        The file cannot be written.
    """
    if root and not root.is_dir():
        raise ConfigError(f"The dataset's folder {root} is not there; without --root, rejects have no pictures.")
    about = info.summary(location)
    group = store.open_group(location)
    columns, names = store.read_columns(group), stored_names(group)
    attributes = store.attributes_of(group)
    rejects = store.read_columns(store.group_of(group, store.REJECTS))
    rows = measures.sample(len(columns["label"]))
    values, overlap = measures.of_pixels(group, rows)
    environment = Environment(
        loader=PackageLoader("pipeline.inspect.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("report.html").render(
        about=about,
        card=_card(about, attributes),
        commands=_commands(about, attributes),
        identities=_identities(columns, names),
        lost=lost.reasons(rejects),
        rejected=lost.pictures(rejects, root) if root else [],
        root=root,
        apart=apart.compared(group, columns, names),
        several=people.several(columns),
        plots={title: svg for title, svg in _plots(columns, names, rows, values).items() if svg},
        sampled=len(rows),
        overlap=[(one, other, np.median(each), len(each)) for (one, other), each in overlap.items()],
        faces=gallery.faces(group, columns, names),
        blends=gallery.blends(group),
    )
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _card(about: info.Summary, attributes: Mapping[str, Any]) -> dict[str, str]:
    manifest = attributes.get("manifest", {})
    return {
        "Dataset": manifest.get("title", about.dataset),
        "Licence": manifest.get("licence", ""),
        "Citation": manifest.get("citation", ""),
        "Recipe": f"{about.recipe}, crops of {about.size} x {about.size} pixels, seed {about.seed}",
        "Rows": f"{about.counts['rows']} of {about.counts['faces']} faces from {about.counts['videos']} files",
        "Blends": str(about.counts["blends"]),
        "Software": ", ".join(f"{name} {version}" for name, version in about.software.items()),
        "Digest": about.digest,
        "Digest of the manifest": attributes.get("manifest_digest", ""),
        "Digest of the recipe": attributes.get("recipe_digest", ""),
    }


def _commands(about: info.Summary, attributes: Mapping[str, Any]) -> list[str]:
    limit = f" --limit {about.limit}" if about.limit else ""
    first = ["forgery-prep sample"] if about.dataset == "sample" else []
    run = f"forgery-prep run --dataset {about.dataset} --recipe {about.recipe} --store {about.store}{limit}"
    return [*first, run, f"forgery-prep verify --store {about.store}"]


def _identities(columns: Columns, names: Names) -> list[tuple[str, int, int]]:
    """Count people and rows by split."""
    people = columns["video_identity"][columns["video"]]
    inside = [(name, columns["split"] == code) for code, name in enumerate(names.split)]
    return [(name, len(set(people[where].tolist())), int(where.sum())) for name, where in inside if where.any()]


def _plots(
    columns: Columns, names: Names, rows: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]]
) -> dict[str, str]:
    """Draw every distribution; those of pixels from the sampled rows."""
    method, compression, fake = (columns[name][rows] for name in ("method", "compression", "label"))
    side = columns["box"][:, 2] - columns["box"][:, 0]
    by_method = {
        "Face size": (side, columns["method"], "width of the box, pixels of the video"),
        "Detector's score": (columns["score"], columns["method"], "score"),
    }
    drawn = {
        title: plots.histogram(measures.split_by(each, codes, names.method), unit)
        for title, (each, codes, unit) in by_method.items()
    }
    for kind in [kind for kind in LABELS if kind in values and LABELS[kind].flags]:
        area = measures.split_by(values[kind][fake == 1], method[fake == 1], names.method)
        drawn[f"Manipulated area, {kind}"] = plots.histogram(area, "share of the crop, fakes")
    for name, unit in (("noise", "mean magnitude, grey levels"), ("brightness", "grey level"), ("blur", "variance")):
        if name in values:
            title = "Blur (variance of the Laplacian)" if name == "blur" else name.capitalize()
            drawn[f"{title} by method"] = plots.histogram(measures.split_by(values[name], method, names.method), unit)
            drawn[f"{title} by compression"] = plots.histogram(
                measures.split_by(values[name], compression, names.compression), unit
            )
    return drawn
