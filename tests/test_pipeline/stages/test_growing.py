"""Stores that grow or are joined are, byte for byte, what one run over everything makes; only the new is made."""

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stores
import torch

from pipeline import store
from pipeline.config import overlay
from pipeline.crew import Threads
from pipeline.errors import DamageError, StoreError
from pipeline.inspect.verify import verify
from pipeline.manifest import Video
from pipeline.progress import Silent
from pipeline.stages import beside, labelling
from pipeline.stages import extend as growing
from pipeline.stages.extend import extend
from pipeline.stages.merge import merge
from pipeline.stages.run import Job, run
from pipeline.store import seal
from pipeline.video import frames

pytestmark = pytest.mark.slow

Chosen = Callable[[Video], bool]
PEOPLE = ("000", "001", "002")  # two to train, one to test
METHODS = ("real", "Warp", "Patch")
COMPRESSIONS = ("c23", "c40")
SMALL = {"sampling": {"real": {"train": 2, "test": 2}, "fake": {"train": 2, "test": 2}}, "cropping": {"size": 64}}


@dataclass
class Work:
    """What was done in this process."""

    read: set[str] = field(default_factory=set)  # files that were decoded
    labelled: int = 0  # rows, once for each label kind

    def forget(self) -> None:
        """Begin anew."""
        self.read, self.labelled = set(), 0


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    """Let runs work in this process, where what they do can be counted."""

    @contextlib.contextmanager
    def in_process(*_: object) -> Iterator[Threads]:
        yield Threads(1)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    with pytest.MonkeyPatch.context() as change:
        change.setattr("pipeline.stages.cluster.cluster", in_process)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Count what is done."""
    done = Work()
    read, label = frames.read, labelling.label_rows

    def reading(path: Path, *arguments: object) -> object:
        done.read.add(path.as_posix())
        return read(path, *arguments)

    def labelled(group: object, task: labelling.LabelTask, *more: object) -> object:
        done.labelled += len(task.kinds) * (task.span[1] - task.span[0])
        return label(group, task, *more)

    monkeypatch.setattr(frames, "read", reading)
    monkeypatch.setattr(labelling, "label_rows", labelled)
    return done


def some(tiny, location: Path | str, chosen: Chosen, **changes: object) -> Job:
    """Return a job for some of the tiny dataset's files; `changes` are of the recipe."""
    job = tiny.job(location)
    videos = tuple(video for video in job.dataset.videos if chosen(video))
    recipe = overlay(overlay(job.recipe, SMALL, "a test"), changes, "a test")
    return dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, videos=videos), recipe=recipe)


def of(*targets: str) -> Chosen:
    """Return what tells whether a file is one of those that the tests use, and shows one of some people."""
    return lambda video: video.target in targets and video.method in METHODS and video.compression in COMPRESSIONS


@pytest.fixture(scope="module")
def parts(here, tiny, tmp_path_factory) -> list[str]:
    """Return finished stores, each of one person."""
    folder = tmp_path_factory.mktemp("parts")
    for target in PEOPLE:
        run(some(tiny, folder / f"{target}.zarr", of(target)))
    return [str(folder / f"{target}.zarr") for target in PEOPLE]


@pytest.fixture(scope="module")
def whole(here, tiny, tmp_path_factory) -> Path:
    """Return the store that one run over all of them makes."""
    location = tmp_path_factory.mktemp("whole") / "whole.zarr"
    run(some(tiny, location, of(*PEOPLE)))
    return location


def test_more_videos(tiny, whole, parts, work, tmp_path):
    location = stores.copy(parts[0], tmp_path / "grown.zarr")
    job = some(tiny, location, of(*PEOPLE))
    extend(job)
    stores.assert_same(location, whole)
    names = {Path(path).name for path in work.read}
    assert not any(name.startswith(PEOPLE[0]) for name in names)
    assert {f"{name}.mp4" for name in PEOPLE[1:]} <= names
    kinds, rows = len(job.recipe.labelling.kinds), [len(stores.columns(each)["frame"]) for each in (parts[0], whole)]
    assert work.labelled == kinds * (rows[1] - rows[0])
    assert [path.name for path in tmp_path.iterdir()] == ["grown.zarr"], "nothing is left beside it"
    work.forget()
    extend(job)
    run(job)
    assert not work.read, "nothing is left to do"


def test_another_codec(tiny, parts, work, tmp_path):
    location = stores.copy(parts[0], tmp_path / "recoded.zarr")
    before = store.attributes_of(store.open_group(location))["digests"]
    job = some(tiny, location, of(PEOPLE[0]), chunking={"codec": "lz4"})
    assert growing.outlook(job).endswith("All of it is stored by lz4 in place of zstd (chunking.codec).")
    extend(job)
    assert not work.read, "nothing is decoded or labelled again"
    assert work.labelled == 0
    assert store.attributes_of(store.open_group(location))["digests"] == before
    assert '"cname": "lz4"' in (Path(location) / "image" / "zarr.json").read_text()
    assert verify(location) == []


@pytest.mark.parametrize(
    ("before", "untouched", "made"),
    [
        # of 12 rows the last method has 4
        pytest.param(lambda video: video.method != METHODS[-1], f"/{METHODS[1]}/c", 4 * 5, id="method"),
        # the other compression has 6; ssim and hull are those of the pairs in the first
        pytest.param(lambda video: video.compression != "c40", "manipulated.*/c23/", 6 * 3, id="compression"),
        # labels come from the least compressed pair, boxes from the least compressed real
        pytest.param(lambda video: video.compression != "c23", None, None, id="less-compressed"),
    ],
)
def test_more_of_the_same_videos(tiny, parts, tmp_path, work, before, untouched, made):
    location = tmp_path / "grown.zarr"
    run(some(tiny, location, lambda video: of(PEOPLE[0])(video) and before(video)))
    work.forget()
    extend(some(tiny, location, of(PEOPLE[0])))
    stores.assert_same(location, parts[0])
    assert work.read
    if untouched:
        assert not [path for path in work.read if re.search(untouched, path)]
        assert work.labelled == made


def test_more_frames(tiny, parts, tmp_path):
    location = tmp_path / "grown.zarr"
    run(some(tiny, location, of(PEOPLE[0]), sampling={"real": {"train": 1}, "fake": {"train": 1}}))
    extend(some(tiny, location, of(PEOPLE[0])))
    stores.assert_same(location, parts[0])


def test_more_label_kinds(tiny, parts, tmp_path, work):
    location = tmp_path / "grown.zarr"
    run(some(tiny, location, of(PEOPLE[0]), labelling={"kinds": ["ssim", "hull"]}))
    work.forget()
    extend(some(tiny, location, of(PEOPLE[0])))
    stores.assert_same(location, parts[0])
    assert all("/masks/" in path for path in work.read)
    assert work.labelled == 3 * 12, "mask, noise and boundary of every row"


def test_stores_are_joined(whole, parts, tmp_path, work):
    one, other, rest = parts
    merge([one, other], str(tmp_path / "two.zarr"))
    merge([rest, str(tmp_path / "two.zarr")], str(tmp_path / "all.zarr"))
    merge([one, rest, other], str(tmp_path / "three.zarr"))
    stores.assert_same(tmp_path / "all.zarr", whole)
    stores.assert_same(tmp_path / "three.zarr", whole)
    assert (work.read, work.labelled) == (set(), 0)


class Stopped(Exception):
    """Ends a run in its middle."""


class Stopping(Silent):
    """Progress that ends a run in one of its stages."""

    def __init__(self, title: str) -> None:
        self.title = title

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int, str], None]]:
        def advance(steps: int, _: str) -> None:
            if steps and title == self.title:
                raise Stopped

        yield advance


def test_stopped_in_its_middle_it_goes_on_and_the_old_store_is_whole_until_then(tiny, whole, parts, tmp_path):
    location = stores.copy(parts[0], tmp_path / "grown.zarr")
    job, before = some(tiny, location, of(*PEOPLE)), stores.files(parts[0])
    for title in ("faces", "check crops", "labels", "blends"):
        with pytest.raises(Stopped):
            extend(job, progress=Stopping(title))
        assert stores.files(location).keys() == before.keys()
        stores.assert_same(location, parts[0])
    extend(job)
    stores.assert_same(location, whole)
    assert [path.name for path in tmp_path.iterdir()] == ["grown.zarr"]


def test_a_kill_while_one_store_takes_the_others_place_leaves_both(parts, tmp_path, monkeypatch):
    place = tmp_path / "grown.zarr"
    for last in ("grown.zarr", "grown.zarr.growing"):  # the step that is not done any more
        stores.copy(parts[0], place)
        stores.copy(parts[1], tmp_path / "grown.zarr.growing")

        def rename(path: Path, to: Path, last: str = last) -> None:
            if path.name == last:
                raise Stopped
            os.rename(path, to)

        with monkeypatch.context() as change:
            change.setattr(Path, "rename", rename)
            with pytest.raises(Stopped):
                beside.replace(str(place))
        beside.recover(str(place))
        stores.assert_same(place, parts[0] if last == "grown.zarr" else parts[1])
        shutil.rmtree(place)
        beside.discard(str(place))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cropping": {"size": 96}}, r"recipe\.cropping\.size \(was 64, now 96\)"),
        ({"detection": {"detector": "dlib"}}, r"recipe\.detection\.detector \(was mtcnn, now dlib\)"),
        ({"sampling": {"real": {"train": 1}}}, r"recipe\.sampling\.real\.train \(was 2, now 1\)"),
        ({"labelling": {"kinds": ["ssim"]}}, r"recipe\.labelling\.kinds"),
        ({"labelling": {"ssim_close": 3}}, r"recipe\.labelling\.ssim_close \(was 5, now 3\)"),
    ],
)
def test_what_is_no_addition_is_refused_by_its_name(tiny, parts, changes, told):
    with pytest.raises(StoreError, match=f"cannot be extended, .*{told}"):
        extend(some(tiny, parts[0], of(*PEOPLE), **changes))


def test_a_store_is_extended_only_where_that_is_safe(tiny, parts, tmp_path):
    with pytest.raises(StoreError, match=r"4 of its 6 files are not in the dataset, the first is .*Warp"):
        extend(some(tiny, parts[0], lambda video: of(PEOPLE[0])(video) and video.method == "real"))
    with pytest.raises(StoreError, match=r"There is no store at .* to extend"):
        extend(some(tiny, tmp_path / "none.zarr", of(*PEOPLE)))
    with pytest.raises(StoreError, match="cannot be extended in its place"):
        extend(some(tiny, "s3://bucket/a.zarr", of(*PEOPLE)))
    location = stores.copy(parts[0], tmp_path / "old.zarr")
    group = store.open_group(location, "r+")
    store.delete_group(store.group_of(group, store.CHECKS), seal.RECORD)
    with pytest.raises(StoreError, match="made before stores could grow"):
        extend(some(tiny, location, of(*PEOPLE)))
    group.attrs["complete"] = False
    with pytest.raises(StoreError, match="is unfinished"):
        extend(some(tiny, location, of(*PEOPLE)))


def test_what_it_takes_is_said_before(tiny, parts):
    told = growing.outlook(some(tiny, parts[0], of(*PEOPLE)))
    assert re.search(r"would be extended\. A store of about [\d.]+ GB is made beside .*GB are free\.", told)
    assert "nothing would be done" in growing.outlook(some(tiny, parts[0], of(PEOPLE[0])))


def test_stores_that_do_not_go_together_are_not_joined(parts, tmp_path):
    one, other, _ = parts
    with pytest.raises(StoreError, match="at least two stores"):
        merge([one, one], str(tmp_path / "a.zarr"))
    with pytest.raises(StoreError, match="another place"):
        merge([one, other], one)
    copy = stores.copy(one, tmp_path / "copy.zarr")
    with pytest.raises(StoreError, match=r"both hold original_sequences/.*000\.mp4"):
        merge([one, copy], str(tmp_path / "a.zarr"))
    for name, value in (("software", {"numpy": "1"}), ("manifest", {}), ("dataset", "ffpp"), ("recipe", {"seed": 3})):
        changed = stores.copy(other, tmp_path / f"{name}.zarr")
        store.open_group(changed, "r+").attrs[name] = value
        with pytest.raises(StoreError, match=f"differ in .*{name}"):
            merge([one, changed], str(tmp_path / "a.zarr"))
    store.open_group(copy, "r+").attrs["limit"] = 1
    with pytest.raises(StoreError, match="is a trial store"):
        merge([other, copy], str(tmp_path / "a.zarr"))
    assert not (tmp_path / "a.zarr").exists()


def test_rows_that_are_not_what_was_written_are_not_taken_over(parts, tmp_path):
    damaged = stores.copy(parts[0], tmp_path / "damaged.zarr")
    array = store.array_of(store.open_group(damaged, "r+"), "hull")
    values = store.read(array)
    values[-1] = 1 - values[-1]
    store.write_shard(array, 0, values)
    with pytest.raises(DamageError, match=r"hull in .*damaged\.zarr is not what was written there"):
        merge([damaged, parts[1]], str(tmp_path / "a.zarr"))


def test_the_record_of_the_files_is_checked_and_put_back(tiny, parts, tmp_path):
    damaged = stores.copy(parts[0], tmp_path / "damaged.zarr")
    stores.flip(stores.shard(damaged, seal.RECORD_PATH, 0))
    told = "checks/made_from: the record of the dataset's files is missing or damaged"
    assert verify(damaged, workers=1) == [told]
