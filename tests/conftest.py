"""A tiny dataset of real H.264 video in FaceForensics++'s layout and the store made from it, once for all tests."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bucket
import pytest
from filelock import FileLock

if "PYTEST_XDIST_WORKER" in os.environ:  # a process a core: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cli.prep
from pipeline.config import Recipe, load_recipe
from pipeline.manifest import load_manifest, scan
from pipeline.sample import make_sample
from pipeline.stages.run import Job, run

SUPPORT = Path(__file__).parent / "support"
SPLITS = {"train": [["000", "001"]], "val": [], "test": [["002", "003"]]}
RECIPE = """
[sampling.real]
train = 4
test = 3

[sampling.fake]
train = 3
test = 3

[cropping]
size = 96

[chunking]
shard = 16
"""


@dataclass(frozen=True)
class Tiny:
    """The dataset, and how stores are made from it."""

    root: Path
    recipe_file: Path

    @property
    def recipe(self) -> Recipe:
        return load_recipe(str(self.recipe_file), load_manifest("sample")["sampling"])

    def job(self, location: Path | str, root: Path | None = None, limit: int | None = None, **changes: object) -> Job:
        recipe = dataclasses.replace(self.recipe, **changes)
        return Job(scan(load_manifest("sample"), root or self.root, limit=limit), recipe, str(location), limit)

    def arguments(self, location: Path | str, root: Path | None = None) -> list[str]:
        """Return the command that makes a store."""
        named = {"--root": root or self.root, "--recipe": self.recipe_file, "--store": location}
        return ["run", *(str(word) for option in named.items() for word in option)]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first of the suite's processes to ask has filled, and that all of them share."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each process has a folder of its own in it
    folder = shared / f"shared-{name}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            draft = shared / f"draft-{name}"
            draft.mkdir()  # left behind by a failure: then no process tries again
            make(draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Return the tiny dataset; tests that change it take a copy."""

    def make(folder: Path) -> None:
        root = folder / "sample"
        make_sample(root, people=4, frames=6)
        for split, pairs in SPLITS.items():
            (root / "splits" / f"{split}.json").write_text(json.dumps(pairs))
        (folder / "tiny.toml").write_text(RECIPE)

    folder = once(tmp_path_factory, "tiny", make)
    return Tiny(folder / "sample", folder / "tiny.toml")


@pytest.fixture(scope="session")
def tiny_store(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished store of the tiny dataset; tests that change it take a copy."""
    folder = once(tmp_path_factory, "store", lambda folder: run(tiny.job(folder / "tiny.zarr"), workers=2))
    return folder / "tiny.zarr"


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Yield the address of a Dask scheduler with two processes: runs that share it need not start their own."""
    from distributed import LocalCluster

    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50)
    yield local.scheduler_address
    with suppress(TimeoutError):
        local.close(timeout=30)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Yield the address of an S3 server with an empty bucket called `bucket`."""
    with bucket.server() as address:
        yield address


@pytest.fixture
def s3_env(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the variables that lead to the S3 server; return its address."""
    for name, value in {**bucket.VARIABLES, "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture
def prep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return a function that runs `forgery-prep` in this process."""

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["forgery-prep", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.prep.main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return call


def hear() -> None:
    """Hear Ctrl-C in a new process also where the suite itself was started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts `forgery-prep`, or `killed.py`, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object, killed_at: tuple[str, int] | None = None) -> subprocess.Popen[str]:
        program = [str(Path(sys.executable).with_name("forgery-prep"))]
        if killed_at:
            program = [sys.executable, str(SUPPORT / "killed.py"), *map(str, killed_at)]
        process = subprocess.Popen(
            [*program, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()
