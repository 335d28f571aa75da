"""Time whole commands: `python benchmarks/whole.py [--root data/sample] [--frames 12] [--limit 1] [--rounds 3]`.

One group (a real video, its fakes, c23 and c40, masks, every label, no blends) by `forgery-prep run` with one worker
against the script of `benchmarks/rivals/script.py`, which finds faces in each video, and against the same script using
the real video's boxes again. Then each label computed again and the check of a store against a run, two workers against
one, reading a store against reading its bytes, and start-up. ROOT is a tree of FaceForensics++ or the sample's.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from timing import Row, Way, compare, say

from models.data.store_reader import open_store
from pipeline.faces.tracks import overlaps

HERE = Path(__file__).resolve().parent
PREP = Path(sys.executable).parent / "forgery-prep"
KINDS = ("ssim", "mask", "noise", "hull", "boundary")


def tree(root: Path, folder: Path) -> Path:
    """Link a dataset's videos of c23 and c40 and its masks into another folder."""
    shutil.copytree(root / "splits", folder / "splits")
    for path in root.rglob("*.mp4"):
        where = path.relative_to(root)
        if "raw" not in where.parts:
            (folder / where).parent.mkdir(parents=True, exist_ok=True)
            (folder / where).symlink_to(path.resolve())
    return folder


def recipe(folder: Path, frames: int) -> Path:
    """Write the recipe of the comparison: as many frames of every video, every label, no blends."""
    counts = f"{{ train = {frames}, val = {frames}, test = {frames} }}"
    path = folder / "group.toml"
    path.write_text(
        f"[sampling]\nreal = {counts}\nfake = {counts}\n[labelling]\nkinds = {list(KINDS)}\n[blending]\nkinds = []\n"
    )
    return path


def command(*words: object) -> None:
    """Run a command; what it prints is shown only if it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode > 1:  # 1: more frames rejected than --max-rejects, which is no failure here
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def run(place: Sequence[object], workers: int = 1) -> None:
    """Make a store from nothing."""
    command(PREP, "run", *place, "--workers", workers, "--overwrite")


def placed(data: Path, settings: Path, limit: int, store: Path) -> tuple[object, ...]:
    """Return the options that say what a store is made of."""
    return ("--dataset", "sample", "--root", data, "--recipe", settings, "--limit", limit, "--store", store)


def agreement(store: Path, out: Path) -> str:
    """Compare the boxes of a store with those of the script, for the frames that both have."""
    reader = open_store(str(store))
    columns = reader.columns
    paths, videos = columns["video_path"], columns["video"]
    own = {
        (Path(paths[video]).parent.parent.name, Path(paths[video]).stem, int(frame)): box
        for video, frame, box in zip(videos, columns["frame"], columns["box"], strict=True)
    }
    with (out / "boxes.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    found = {(line["compression"], line["name"], int(line["frame"])): _enlarged(line) for line in lines}
    common = sorted(set(own) & set(found))
    shared = [float(overlaps(own[key][None], found[key][None])[0, 0]) for key in common]
    return (
        f"{len(own)} rows and {len(found)} crops; boxes overlap {np.median(shared):.3f} (median of {len(common)} "
        f"faces), least {min(shared):.3f}"
    )


def _enlarged(line: dict[str, str]) -> NDArray[np.float32]:
    left, top, right, bottom = (float(line[name]) for name in ("left", "top", "right", "bottom"))
    half, x, y = max(right - left, bottom - top) * 1.3 / 2, (left + right) / 2, (top + bottom) / 2
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def group(place: Sequence[object], frames: int, folder: Path, rounds: int) -> list[Row]:
    """Compare a run with the scripts."""
    options = dict(zip(place[::2], place[1::2], strict=True))
    limit, data, store = options["--limit"], options["--root"], options["--store"]
    outs = {reuse: folder / f"script{reuse}" for reuse in (False, True)}

    def script(reuse: bool) -> None:
        shutil.rmtree(outs[reuse], ignore_errors=True)
        outs[reuse].mkdir()
        more = ["--reuse"] if reuse else []
        words = (data, outs[reuse], "--frames", frames, "--limit", limit, *more)
        command(sys.executable, HERE / "rivals" / "script.py", *words)

    names = {False: "script, faces in each video, PNG", True: "script, boxes used again, PNG"}
    return compare(
        f"real videos with all fakes: {limit}, {frames} frames each",
        Way("forgery-prep run, 1 worker", lambda: run(place)),
        [Way(names[reuse], lambda reuse=reuse: script(reuse)) for reuse in (False, True)],
        lambda way: agreement(Path(str(store)), outs[way.name == names[True]]),
        rounds,
    )


def parts(place: Sequence[object], rounds: int) -> list[Row]:
    """Compare with a run what is done to a store that exists."""

    def again(kind: str) -> Way:
        return Way(f"forgery-prep labels --kind {kind}", lambda: command(PREP, "labels", *place, "--kind", kind))

    found = []
    whole = Way("forgery-prep run, 1 worker", lambda: run(place))
    for kind in KINDS:
        found += compare(f"label {kind} computed again", again(kind), [whole], "", rounds)
    nothing = Way("forgery-prep run", lambda: command(PREP, "run", *place))
    return found + compare("a finished run asked for again", nothing, [whole], "", rounds)


def checking(location: Path, rounds: int) -> list[Row]:
    """Compare the check of every value with reading every byte."""
    files = [path for path in location.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)

    def read() -> None:
        for path in files:
            path.read_bytes()

    found = compare(
        f"check of {size / 1e6:.0f} MB in {len(files)} files",
        Way("forgery-prep verify", lambda: command(PREP, "verify", "--store", location)),
        [Way("reading the bytes", read)],
        "",
        rounds,
        "wall",
    )
    say(f"{size / 1e6 / found[0].ours_wall:.0f} MB/s")
    return found


def start_up(rounds: int) -> list[Row]:
    """Compare --help with that of a bare typer application."""
    bare = "import typer; app = typer.Typer(); app.command()(lambda: None); app()"
    return [
        row
        for name in ("forgery-prep", "forgery-train", "forgery-eval", "forgery-predict")
        for row in compare(
            f"{name} --help",
            Way(name, lambda name=name: command(PREP.parent / name, "--help")),
            [Way("a typer application of one line", lambda: command(sys.executable, "-c", bare, "--help"))],
            "",
            max(rounds, 5),
        )
    ]


def rows(root: Path, frames: int = 12, limit: int = 1, rounds: int = 3) -> list[Row]:
    """Make every comparison."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, settings = tree(root, folder / "data"), recipe(folder, frames)
        place = placed(data, settings, limit, folder / "group.zarr")
        found = start_up(rounds)
        found += group(place, frames, folder, rounds)
        found += parts(place, rounds)
        found += checking(folder / "group.zarr", rounds)
        one, two = (placed(data, settings, 10, folder / f"{count}.zarr") for count in ("one", "two"))
        found += compare(
            "real videos with all fakes: 10",
            Way("2 workers", lambda: run(two, 2)),
            [Way("1 worker", lambda: run(one))],
            lambda _: "same digest" if _digest(folder / "one.zarr") == _digest(folder / "two.zarr") else "OTHER DIGEST",
            rounds,
            "wall",
        )
    return found


def _digest(store: Path) -> str:
    return open_store(str(store)).digest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("data/sample"))
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    rows(**vars(parser.parse_args()))
