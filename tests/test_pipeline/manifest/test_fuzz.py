"""Lists, tables, manifests and recipes that hold anything: a dataset or a sentence, and nothing outside its folder."""

import csv
import io
import json
import tomllib
from pathlib import Path

import hostile
import numpy as np
import pytest
from places import ROOT

from pipeline import config, exclusions
from pipeline.config import load_recipe
from pipeline.errors import ForgeryPrepError
from pipeline.inspect import info
from pipeline.manifest import load_manifest, scan, schema
from pipeline.stages.run import Job

EACH = 150 * hostile.TIMES
MANIFESTS = sorted((ROOT / "manifests").glob("*.toml"))
HEADER = ("real", "fake", "mask", "method", "split", "compression", "identity", "name")
LINES = (
    ("r/1.mp4", "f/1.mp4", "m/1.png", "Swap", "train", "c23", "ann", "one"),
    ("r/2.mp4", "f/2.mp4", "", "Swap", "val", "c23", "bob", ""),
    ("r/3.mp4", "", "", "", "test", "", "", ""),
)


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def refused(attempt) -> str:
    """Call something that may refuse; return the sentence."""
    try:
        attempt()
    except ForgeryPrepError as error:
        text = str(error)
        assert text
        assert "Traceback" not in text
        return text
    return ""


def look(manifest: dict, root: Path) -> None:
    """Do what a run does before it begins."""
    dataset = scan(manifest, root)
    job = Job(dataset, load_recipe("default", manifest.get("sampling")), "nowhere.zarr")
    json.dumps(job.settings())
    info.plan(job)
    for video in dataset.videos:
        assert video.split in config.SPLITS
        assert "/" not in video.id
        assert video.id not in ("", ".", "..")
        assert "/" not in video.method
        assert video.method not in ("", ".", "..")
        assert video.compression in ("raw", "c23", "c40", "native")


def table(rng: np.random.Generator) -> str:
    """Write the table as programs do, with something in it that should not be there."""
    rows = [list(HEADER), *(list(line) for line in LINES)]
    for _ in range(int(rng.integers(0, 3))):
        row, column = int(rng.integers(1 if rng.integers(8) else 0, len(rows))), int(rng.integers(len(HEADER)))
        rows[row][column] = str(rng.choice([*hostile.WORDS, "r/1.mp4", "c23", "c99", "train", "f/2.mp4", "raw"]))
    if not rng.integers(6):
        rows[int(rng.integers(len(rows)))].append(str(rng.choice(hostile.WORDS)))
    if not rng.integers(6):
        rows.pop(int(rng.integers(len(rows))))
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if rng.integers(2) else csv.QUOTE_MINIMAL
    csv.writer(stream, delimiter=str(rng.choice([",", ",", ";", "\t"])), quoting=quoting).writerows(rows)
    return stream.getvalue()


def test_tables_of_pairs(tmp_path):
    put(tmp_path, *(path for line in LINES for path in line[:3] if path))
    file = tmp_path / "pairs.csv"
    manifest = load_manifest("pairs")
    codings = ["utf-8", "utf-8-sig", "utf-16", "latin-1"]
    good = 0
    for seed in range(EACH):
        rng = np.random.default_rng(seed)
        content = table(rng).encode(str(rng.choice(codings, p=[0.6, 0.3, 0.05, 0.05])), "replace")
        file.write_bytes(hostile.damaged(content, seed) if not rng.integers(4) else content)
        try:
            good += not refused(lambda: look(manifest, file))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {content!r}") from error
    assert 0 < good < EACH


def literal(value: object) -> str:
    """Return a value as TOML, or as something that is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def written(values: dict) -> str:
    return "\n".join(f"{json.dumps(key)} = {literal(value)}" for key, value in values.items())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests(tmp_path, path):
    put(
        tmp_path, "real/0001.mp4", "Celeb-real/id0_0000.mp4", "a/b/c.mp4", "splits/train.json", "x.csv", "metadata.json"
    )
    whole = tomllib.loads(path.read_text())
    file = tmp_path / "m.toml"
    for seed in range(EACH // 10):
        rng = np.random.default_rng(seed)
        values = hostile.altered(whole, rng)
        file.write_text(written(values) if isinstance(values, dict) else str(values), errors="replace")
        try:
            refused(lambda: look(load_manifest(str(file)), tmp_path))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


def test_recipes(tmp_path):
    whole = json.loads(json.dumps(config.Recipe().to_dict()))
    whole.pop("name")
    file = tmp_path / "r.toml"
    said = set()
    for seed in range(EACH):
        rng = np.random.default_rng(seed)
        values = hostile.altered(whole, rng)
        text = written(values) if isinstance(values, dict) else str(values)
        file.write_bytes(hostile.damaged(text.encode(), seed) if not rng.integers(4) else text.encode())
        try:
            said.add(refused(lambda: load_recipe(str(file))) != "")
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert said == {True, False}


LISTS = {
    "ffpp": ("splits/{split}.json", [["000", "001"]]),
    "dfdc": ("dfdc_train_part_0/metadata.json", {"a.mp4": {"label": "REAL", "split": "train", "original": None},
                                                 "b.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_lists_in_json(tmp_path, name):
    pattern, whole = LISTS[name]
    videos = [f"original_sequences/youtube/c23/videos/{each}.mp4" for each in ("000", "001")]
    videos += [f"manipulated_sequences/Deepfakes/c23/videos/{each}.mp4" for each in ("000_001", "001_000")]
    put(tmp_path, *videos, "dfdc_train_part_0/a.mp4", "dfdc_train_part_0/b.mp4")
    manifest = load_manifest(name)
    for split in config.SPLITS:
        put(tmp_path, pattern.format(split=split))
        (tmp_path / pattern.format(split=split)).write_text(json.dumps(whole if split == "train" else []))
    file = tmp_path / pattern.format(split="train")
    file.write_text(json.dumps(whole))
    look(manifest, tmp_path)
    for seed in range(EACH // 2):
        rng = np.random.default_rng(seed)
        content = json.dumps(hostile.altered(whole, rng)).encode()
        file.write_bytes(hostile.damaged(content, seed) if not rng.integers(4) else content)
        try:
            refused(lambda: look(manifest, tmp_path))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {file.read_bytes()!r}") from error


def test_lists_of_faces_to_leave_out(tmp_path):
    file = tmp_path / "bad.csv"
    lines = [
        ["dataset", "video", "frame", "left", "top", "right", "bottom", "note"],
        ["", "a.mp4", "3", "1", "2", "30", "40", ""],
    ]
    for seed in range(EACH):
        rng = np.random.default_rng(seed)
        some = [list(line) for line in lines]
        some[int(rng.integers(2))][int(rng.integers(8))] = str(rng.choice(hostile.WORDS))
        stream = io.StringIO()
        csv.writer(stream, delimiter=str(rng.choice([",", ";"]))).writerows(some)
        file.write_bytes(
            hostile.damaged(stream.getvalue().encode(), seed) if not rng.integers(4) else stream.getvalue().encode()
        )
        try:
            refused(lambda: [line.shows(3, (1, 2, 30, 40)) for line in exclusions.read(file)])
        except Exception as error:
            raise AssertionError(f"seed {seed}: {file.read_bytes()!r}") from error


def test_the_fuzzed_manifests_are_all():
    assert {path.parent for path in MANIFESTS} == {schema.FOLDER}
