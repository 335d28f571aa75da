"""`forgery-prep` as a user meets it: exit statuses, one or two sentences, nothing lost."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import stores

import cli.prep
from pipeline import store
from pipeline.errors import StoreError
from pipeline.inspect import info
from pipeline.store.lock import alone
from pipeline.video.encode import write_video

COMMANDS = ("datasets", "doctor", "sample", "run", "labels", "blend", "verify", "report", "info", "view")


def is_clear(said, *words):
    """Check that an error is one or two sentences with these words, and no traceback."""
    assert said.status == 2, said
    assert "Traceback" not in said.err
    text = said.err[said.err.index("Error: ") :].strip()
    assert len(re.findall(r"[.;](\s|$)", text)) <= 3, text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(prep, command):
    said = prep(*command.split(), "--help")
    assert said.status == 0
    assert re.match(r"\s*Usage: .*forgery-prep", said.out)
    assert command or all(name in said.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--nonsense"], "No such option"),
        (["run", "--workers", "0"], "workers"),
        (["run", "--max-rejects", "2"], "max-rejects"),
        (["labels"], "kind"),
        (["nonsense"], "No such command"),
    ],
)
def test_a_wrong_option_exits_2(prep, arguments, words):
    said = prep(*arguments)
    assert said.status == 2
    assert words in said.err
    assert "Traceback" not in said.err


def test_wrong_names_are_clear(prep, tiny, tiny_store, tmp_path):
    where = ["--root", tiny.root, "--store", tmp_path / "a.zarr"]
    is_clear(prep("run", "--dataset", "nonsense", *where), "nonsense", "ffpp")
    is_clear(prep("run", "--recipe", "nonsense", *where), "nonsense", "default")
    is_clear(prep("run", "--root", tmp_path / "gone", "--store", tmp_path / "a.zarr"), "gone")
    is_clear(prep("run", "--dataset", "ffpp", "--manifest", "a.toml", *where), "--dataset and --manifest")
    is_clear(prep("run", "--scheduler", "nonsense://x", *where, "--limit", 1))
    is_clear(prep("labels", "--kind", "depth", "--store", tiny_store, "--root", tiny.root), "depth", "ssim")
    for command in (["info"], ["verify"], ["labels", "--kind", "ssim"], ["blend"], ["report"], ["view"]):
        is_clear(prep(*command, "--store", tmp_path / "none.zarr"), "There is no store at", "none.zarr")
    assert not (tmp_path / "a.zarr").exists()


def test_debug_shows_where(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["forgery-prep", "info", "--debug", "--store", str(tmp_path / "none.zarr")])
    with pytest.raises(StoreError):
        cli.prep.main()


def test_a_dry_run_writes_nothing(prep, tiny, tmp_path):
    said = prep(*tiny.arguments(tmp_path / "a.zarr"), "--dry-run")
    assert said.status == 0
    assert "at most 186 rows of 96 x 96 pixels" in said.out
    assert not list(tmp_path.iterdir())


def test_a_finished_store_is_left_alone_and_told(prep, tiny, tiny_store):
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}
    said = prep(*tiny.arguments(tiny_store))
    assert said.status == 0
    assert "nothing to do" in said.err
    assert "186 rows of 14 faces" in said.out
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}


def test_info_is_one_screen_or_json(prep, tiny_store):
    said = prep("info", "--store", tiny_store, "--json")
    told = json.loads(said.out)
    assert told["digest"] == info.summary(str(tiny_store)).digest
    assert told["counts"]["rows"] == 186
    assert told["digest"] in prep("info", "--store", tiny_store).out


def test_verify_exits_1_on_damage_and_says_where(prep, tiny_store, tmp_path):
    good = prep("verify", "--store", tiny_store, "--workers", 1)
    assert (good.status, good.out.strip()) == (0, f"{tiny_store}: nothing wrong")
    location = stores.copy(tiny_store, tmp_path / "a [x] :smile:.zarr")
    stores.flip(stores.shard(location, "image", 1))
    bad = prep("verify", "--store", location, "--workers", 1, "--json")
    assert bad.status == 1
    (finding,) = json.loads(bad.out)["findings"]
    assert finding.startswith("image: rows 16 to 31 are damaged")
    assert json.loads(bad.out)["store"] == location


@pytest.mark.slow
def test_verify_repairs_what_it_finds_and_exits_1_for_what_it_cannot(prep, tiny, tiny_store, tmp_path):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    stores.flip(stores.shard(location, "noise", 1))
    stores.shard(location, "image", 2).unlink()
    said = prep("verify", "--repair", "--store", location, "--root", tmp_path / "none", "--workers", 1)
    assert said.status == 1
    assert "- image: rows 32 to 47: the dataset's folder" in said.out
    said = prep("verify", "--repair", "--store", location, "--root", tiny.root, "--workers", 1)
    assert said.status == 0
    assert "+ image: rows 32 to 47 were made again" in said.out
    assert said.out.strip().endswith("nothing wrong")
    stores.assert_same(location, tiny_store)


@pytest.fixture
def listed(tiny, tmp_path):
    """Return a CSV file of one good pair and one whose fake is empty."""
    good = tiny.root / "original_sequences/youtube/raw/videos/000.mp4"
    fake = tiny.root / "manipulated_sequences/Warp/raw/videos/000_001.mp4"
    (tmp_path / "empty.mp4").touch()
    with (tmp_path / "pairs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["real", "fake", "method", "split"])
        writer.writerows([[good, fake, "warp", "train"], [good, tmp_path / "empty.mp4", "hole", "train"]])
    return tmp_path / "pairs.csv"


def test_more_rejects_than_tolerated_exit_1(prep, tiny, listed, tmp_path, scheduler):
    command = [
        "run",
        "--dataset",
        "pairs",
        "--root",
        listed,
        "--recipe",
        tiny.recipe_file,
        "--store",
        tmp_path / "a.zarr",
    ]
    said = prep(*command, "--scheduler", scheduler)
    assert said.status == 1, said
    assert "3 rows rejected (30.0%)" in said.out
    assert "empty.mp4" in said.out, "the reason stands on the screen"
    assert "More than 25%" in said.err
    assert prep(*command).status == 1, "and again, for the store that is complete"
    assert prep(*command, "--max-rejects", 0.3).status == 0


def test_nothing_usable_at_all_is_an_error(prep, tiny, tmp_path, scheduler):
    rng = np.random.default_rng(0)
    write_video(tmp_path / "noise.mp4", list(rng.integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)), fps=25, crf=0)
    (tmp_path / "pairs.csv").write_text("real,fake\nnoise.mp4,noise.mp4\n")
    command = ["run", "--dataset", "pairs", "--root", tmp_path / "pairs.csv", "--store", tmp_path / "a.zarr"]
    is_clear(prep(*command, "--scheduler", scheduler), "No face of pairs can be used", "no face was found")
    assert not (tmp_path / "a.zarr").exists()


def test_other_settings_another_run_and_other_peoples_files_are_refused(prep, tiny, tiny_store, tmp_path):
    is_clear(prep(*tiny.arguments(tiny_store), "--limit", 1), "limit (was none, now 1)", "--overwrite")
    is_clear(prep("run", "--root", tiny.root, "--store", tiny_store), "recipe.cropping.size (was 96, now 256)")
    with alone(str(tiny_store)):
        is_clear(prep(*tiny.arguments(tiny_store), "--overwrite"), "Another run is writing")
        is_clear(prep("labels", "--kind", "ssim", "--store", tiny_store, "--root", tiny.root), "Another run is writing")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    is_clear(prep(*tiny.arguments(tmp_path / "mine")), "is there already and is no store")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_place_that_cannot_be_written_is_clear(prep, tiny, tmp_path):
    (tmp_path / "file").touch()
    is_clear(prep(*tiny.arguments(tmp_path / "file" / "a.zarr")), "cannot be written", "choose another place")
    if os.getuid():  # the system lets its administrator write everywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        is_clear(prep(*tiny.arguments(tmp_path / "closed" / "a.zarr")), "cannot be written", "Permission denied")


@pytest.fixture
def disk(tmp_path):
    """Return a function that mounts, or resizes, a small disk; skip where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = False

    def mount(options):
        nonlocal mounted
        options = f"remount,{options}" if mounted else options
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a small disk")
        mounted = True
        return place

    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_written(prep, tiny, tiny_store, disk, scheduler):
    location = disk("size=3m") / "a.zarr"
    command = [*tiny.arguments(location), "--scheduler", scheduler]
    is_clear(prep(*command), "cannot be written", "No space left on device", "goes on where it stopped")
    staged = {path: path.stat().st_mtime_ns for path in Path(f"{location}.parts").glob("0*/*")}
    assert staged, "what fitted is kept"
    disk("size=9m")
    is_clear(prep(*command), "cannot be written", "No space left on device")
    assert staged.items() <= {path: path.stat().st_mtime_ns for path in staged}.items()
    written = stores.times(location, "image")
    assert written
    with pytest.raises(StoreError, match="unfinished"):
        info.summary(str(location))
    disk("size=200m")
    assert prep(*command).status == 0
    assert written.items() <= stores.times(location, "image").items()
    stores.assert_same(location, tiny_store)


def test_a_read_only_disk_is_clear(prep, tiny, tiny_store, disk, scheduler):
    location = disk("size=100m") / "a.zarr"
    shutil.copytree(tiny_store, location)
    disk("ro")
    is_clear(prep(*tiny.arguments(location.with_name("b.zarr"))), "cannot be written", "Read-only file system")
    is_clear(prep("labels", "--kind", "ssim", "--store", location, "--root", tiny.root), "Read-only file system")
    assert prep("info", "--store", location).status == 0
    assert info.summary(str(location)).digest == info.summary(str(tiny_store)).digest


def test_blends_and_labels_again_from_the_command_line(prep, tiny, tiny_store, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    images = stores.times(location, "image")
    for command in (["labels", "--kind", "ssim", "--kind", "boundary", "--root", tiny.root], ["blend"]):
        said = prep(*command, "--store", location, "--scheduler", scheduler)
        assert said.status == 0, said
    stores.assert_same(location, tiny_store)
    assert stores.times(location, "image") == images
    assert store.open_group(location).attrs["complete"]


def test_the_store_is_named_by_option_or_environment(prep, tiny_store, monkeypatch):
    monkeypatch.setenv("FORGERY_STORE", str(tiny_store))
    assert str(tiny_store) in prep("info").out
