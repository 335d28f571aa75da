"""What every command does before it does anything: help and version, at once."""

import importlib.metadata
import subprocess
import sys

import pytest

from pipeline.config import Labelling
from pipeline.labels import LABELS

HEAVY = {"av", "cv2", "dask", "numpy", "pywt", "scipy", "skimage", "torch", "zarr"}
COMMANDS = ("prep", "train", "evaluate", "predict")


def in_a_process(command: str, *arguments: str, say: str = "") -> str:
    text = (
        f"import sys; sys.argv = ['forgery', *{list(arguments)!r}]\n"
        f"import cli.{command}\n"
        f"try:\n    cli.{command}.main()\n"
        f"except SystemExit as left:\n    assert not left.code, left.code\n{say}"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout  # what is told on the way, then the result


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command):
    said = in_a_process(command, "--help", say="print('imported:', *sorted(sys.modules))")
    assert "Usage:" in said
    assert "--version" in said
    modules = set(said.rsplit("imported:", 1)[1].split())
    assert not modules & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_version(command):
    assert in_a_process(command, "--version").startswith(f"forgery-prep {importlib.metadata.version('forgery-prep')}, ")


def test_a_finished_run_says_so_without_dask_and_torch(tiny, tiny_store):
    said = in_a_process("prep", *tiny.arguments(tiny_store), say="print('imported:', *sorted(sys.modules))")
    assert "nothing to do" in said
    modules = set(said.rsplit("imported:", 1)[1].split())
    assert not modules & {"dask", "distributed", "scipy", "skimage", "tensorstore", "torch"}


def test_a_finished_sample_says_so_without_dask(tiny):
    words = ("sample", "--root", str(tiny.root), "--people", "4", "--frames", "6")
    said = in_a_process("prep", *words, say="print('imported:', *sorted(sys.modules))")
    assert "0 new files" in said
    assert not set(said.rsplit("imported:", 1)[1].split()) & {"dask", "distributed", "scipy", "torch"}


def test_help_names_the_label_kinds_there_are():
    assert Labelling().kinds == tuple(LABELS)
    said = in_a_process("prep", "labels", "--help")
    assert all(kind in said for kind in LABELS)
