"""Format `deepfakebench`: the tree and the JSON files that DeepfakeBench's loaders read.

A crop lies in `frames/VIDEO/FRAME.png`; the loaders find its mask and its landmarks by putting `masks` and `landmarks`
(`.npy`) for `frames` in its path. A JSON file has the levels dataset, label, split and video, for FaceForensics++ and
DeepFakeDetection with the compression before the video; each video has its label and the paths of its crops. See
https://github.com/SCLBD/DeepfakeBench: preprocessing/rearrange.py and training/dataset/abstract_dataset.py.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config import SPLITS
from pipeline.exchange import tree
from pipeline.exchange.folders import said
from pipeline.exchange.selection import Face, Rows
from pipeline.manifest import REAL
from pipeline.manifest.readers import listing
from pipeline.progress import Progress
from pipeline.store.schema import IMAGE

FRAMES = "frames"
FOLDERS = {IMAGE.name: FRAMES, tree.LANDMARKS: "landmarks"}  # every label kind goes to `masks`
MASKS = "masks"
VIDEOS = frozenset({"videos", "images", "frames"})  # last level of a path, for which `frames` stands
PICTURES, TABLES, CONFIG = "rgb", "dataset_json", "config.yaml"
PREFIX = (
    "./datasets/rgb"  # of the paths in the JSON files: the benchmark's own place; it takes paths with a dot as they are
)


@dataclass(frozen=True)
class Bench:
    """Names that DeepfakeBench has for one dataset.

    Attributes
    ----------
    name : str
        Of the dataset's folder.
    real : str
        Label of its real videos.
    fakes : mapping of str to str
        Label of each method; that of `` stands for all others.
    files : mapping of str to tuple of str
        JSON files, each with the labels that it holds; empty: one, named as the folder, with all.
    levels : bool
        The JSON files have a level for the compression.
    """

    name: str
    real: str
    fakes: Mapping[str, str]
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: bool = False


FFPP = {"Deepfakes": "FF-DF", "Face2Face": "FF-F2F", "FaceSwap": "FF-FS", "NeuralTextures": "FF-NT"}
FFPP_FILES = {
    "FaceForensics++": ("FF-real", *FFPP.values()),
    **{label: ("FF-real", label) for label in FFPP.values()},
    "FaceShifter": ("FF-real", "FF-FH"),
}
BENCHES = {
    "ffpp": Bench("FaceForensics++", "FF-real", {**FFPP, "FaceShifter": "FF-FH"}, FFPP_FILES, levels=True),
    "dfd": Bench(
        "FaceForensics++", "DFD_real", {"": "DFD_fake"}, {"DeepFakeDetection": ("DFD_real", "DFD_fake")}, levels=True
    ),
    "celebdf": Bench("Celeb-DF-v2", "CelebDFv2_real", {"": "CelebDFv2_fake"}),
    "celebdfv1": Bench("Celeb-DF-v1", "CelebDFv1_real", {"": "CelebDFv1_fake"}),
    "dfdcp": Bench("DFDCP", "DFDCP_Real", {"method_A": "DFDCP_FakeA", "method_B": "DFDCP_FakeB"}),
    "dfdc": Bench("DFDC", "DFDC_Real", {"": "DFDC_Fake"}),
    "deeperforensics": Bench("DeeperForensics-1.0", "DF_real", {"": "DF_fake"}),
    "uadfv": Bench("UADFV", "UADFV_Real", {"": "UADFV_Fake"}),
}


def bench_of(dataset: str) -> Bench:
    """Return the benchmark's names for a dataset; one that it does not know is called as it is here."""
    return BENCHES.get(dataset) or Bench(dataset, f"{dataset}_Real", {"": f"{dataset}_Fake"})


def write(rows: Rows, out: Path, kinds: Sequence[str], workers: int, progress: Progress) -> list[str]:
    """Write rows into an empty folder; return what is worth saying, a sentence each.

    `rgb/` holds the pictures, in the dataset's own tree with `frames/`, `masks/` and `landmarks/` in place of
    `videos/`; `dataset_json/` the JSON files; `config.yaml` what the benchmark's configuration needs.

    Parameters
    ----------
    kinds : sequence of str
        One label kind, which becomes the masks, or none.
    """
    rows, unlike = tree.of_one_class(rows)
    bench = bench_of(rows.dataset)
    namer = tree.Namer(rows, lambda face: f"{bench.name}/{_above(rows, face)}".rstrip("/"))

    def folder(face: Face, array: str) -> str:
        above, name = namer.folder(face)
        return f"{PICTURES}/{f'{above}/{FRAMES}/{name}'.replace(FRAMES, FOLDERS.get(array, MASKS))}"

    def place(face: Face, array: str) -> str:
        return f"{folder(face, array)}/{face.frame:03d}"

    unknown = tree.write(rows, out, place, kinds, workers=workers, progress=progress)
    listing.write(out / listing.FILE, tree.listing(rows, namer, folder, out, kinds[0] if kinds else ""))
    labels = _tables(rows, bench, place, out / TABLES)
    (out / CONFIG).write_text(_config(rows, labels), encoding="utf-8")
    return said(unlike, unknown)


def _above(rows: Rows, face: Face) -> str:
    """Return the folder of a video in its dataset, without the level that says that there are videos in it."""
    path = PurePosixPath(rows.video(face.video, "path").partition("#")[0])
    if path.is_absolute() or ".." in path.parts:
        return f"{face.method}/{face.compression}"
    above = path.parent.parts
    return "/".join(above[:-1] if above and above[-1].casefold() in VIDEOS else above)


def _tables(rows: Rows, bench: Bench, place: tree.Place, out: Path) -> dict[str, int]:
    """Write the JSON files; return the number of every label."""
    videos: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)  # (label, split, compression) -> videos
    numbers: dict[str, int] = {}
    for row in rows.picked.tolist():
        face = rows.face(row)
        fake = face.method != REAL
        label = bench.fakes.get(face.method, bench.fakes.get("", f"{bench.name}_{face.method}")) if fake else bench.real
        numbers[label] = int(fake)
        path = f"{PREFIX}/{PurePosixPath(place(face, IMAGE.name)).relative_to(PICTURES)}.png"
        key = PurePosixPath(path).parent.name
        group = videos[label, face.split, face.compression]
        if key in group and str(PurePosixPath(group[key]["frames"][0]).parent) != str(PurePosixPath(path).parent):
            key = f"{key}_v{face.video}"  # the benchmark would take two videos of one name for one
        group.setdefault(key, {"label": label, "frames": []})["frames"].append(path)
    out.mkdir()
    files = bench.files or {bench.name: tuple(numbers)}
    levels = [name for name in rows.names.compression if any(key[2] == name for key in videos)]
    for name, labels in files.items():
        here = [label for label in labels if label in numbers]
        if not any(numbers[label] for label in here) and any(numbers.values()):
            continue  # the reals of a method that the store has not
        for level in [""] if bench.levels or len(levels) == 1 else levels:
            called = f"{name}_{level}" if level else name
            held = {
                label: {split: _of_split(videos, (label, split), levels, level, bench.levels) for split in SPLITS}
                for label in here
            }
            with (out / f"{called}.json").open("w", encoding="utf-8") as stream:
                json.dump({called: held}, stream)
    return numbers


def _of_split(
    videos: Mapping[tuple[str, str, str], dict[str, Any]],
    key: tuple[str, str],
    levels: Sequence[str],
    level: str,
    nested: bool,
) -> dict[str, Any]:
    found = {name: videos.get((*key, name), {}) for name in levels}
    return found if nested else found[level or levels[0]]


def _config(rows: Rows, labels: Mapping[str, int]) -> str:
    """Return the lines that the benchmark's configuration needs."""
    size = rows.arrays[IMAGE.name].shape[1]
    lines = [
        f"dataset_json_folder: {TABLES}  # this folder's, or wherever you copy it",
        f"rgb_dir: {PREFIX}  # a link to this folder's {PICTURES}",
        f"resolution: {size}  # or smaller: the loaders resize",
        "label_dict:",
        *(f"  {json.dumps(label)}: {number}" for label, number in labels.items()),
    ]
    return "\n".join(lines) + "\n"
