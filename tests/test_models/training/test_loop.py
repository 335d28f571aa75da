"""The training loop: exact resumes, micro-batches, processes, interruptions, and bad input that overwrites nothing."""

import contextlib
import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from places import ROOT
from tinystore import make_store
from toy import TOY, Toy

from models import detectors
from models.data.store_reader import open_store
from models.runtime import batch_memory, checkpoint
from models.training.loop import train
from models.training.record import load_best
from models.training.setup import BEST, CURVES, LAST, METRICS_FILE, RUN_FILE, Job
from pipeline import store
from pipeline.errors import CheckpointError, ConfigError, ScoreError, StoreError, TrainingError
from pipeline.progress import Silent

SUPPORT = ROOT / "tests" / "support"


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "tiny.zarr", size=32)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)


def job(location, out, *pairs, detector=TOY, **more):
    return Job((location,), detector, detector.parse(pairs), out, device="cpu", pretrained=False, **more)


def logged(out, *names):
    with (out / METRICS_FILE).open(newline="") as stream:
        return [tuple(row[name] for name in ("kind", "phase", "step", *names)) for row in csv.DictReader(stream)]


def losses(out):
    return logged(out, "loss", "term_class", "auc")


def weights(out, name=LAST):
    return checkpoint.load(out / name).network


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def of_main(state):
    return {name: value for name, value in state.items() if name.startswith(("body.0", "draw", "classify"))}


VARIANTS = [
    (),
    ("every_steps=5", "pairs=on"),
    ("metric=loss", "patience=1", "drops=none"),
    ("augment=off", "drops=1,2,3"),
]


@pytest.mark.parametrize(("steps", "pairs"), [(1, ("epochs=1", "drops=none")), *((7, pairs) for pairs in VARIANTS)])
def test_a_resumed_run_is_the_uninterrupted_one(location, tmp_path, pairs, steps):
    whole = train(job(location, tmp_path / "whole", *pairs))
    assert whole.done
    state, runs = None, 0
    while state is None or not state.done:
        state = train(job(location, tmp_path / "parts", *pairs, steps=steps, resume=True))
        runs += 1
    assert runs >= whole.step // steps
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    for name in (BEST, LAST):
        assert same(weights(tmp_path / "parts", name), weights(tmp_path / "whole", name))


@pytest.mark.parametrize("pairs", ["on", "off"])
def test_a_fake_is_augmented_as_the_real_beside_it(tmp_path, monkeypatch, pairs):
    location = make_store(tmp_path / "faint.zarr", size=32, strength=0)  # a fake is its real with other grain
    seen = []

    def forward(network, batch, usual=Toy.forward):
        if network.training:
            seen.append(batch["image"])
        return usual(network, batch)

    monkeypatch.setattr(Toy, "forward", forward)
    train(job(location, tmp_path / "run", f"pairs={pairs}", "compression=c23"))
    apart = torch.stack([(image[:4] - image[4:]).abs().mean() for image in seen])
    assert len(apart) > 10
    assert (apart < 0.02).all() == (pairs == "on")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("grnet", ("size=32",)),
        ("wavelet", ("size=64", "lr=0.1", "copy_branch1=on")),
        ("bigarts", ("size=64", "validate_every=2", "blends=live")),
    ],
)
def test_detectors_resume_exactly(tmp_path, name, pairs):
    location = make_store(tmp_path / "few.zarr", size=32, frames=1, compressions=("c23",))
    detector = detectors.DETECTORS[name]
    pairs = (*pairs, "epochs=2", "batch=4")
    train(job(location, tmp_path / "whole", *pairs, detector=detector))
    first = train(job(location, tmp_path / "parts", *pairs, detector=detector, steps=1))
    assert not first.done
    train(job(location, tmp_path / "parts", *pairs, detector=detector, resume=True))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_what_a_run_leaves(location, tmp_path):
    state = train(job(location, tmp_path, command="forgery-train --detector toy"))
    assert {file.name for file in tmp_path.iterdir()} == {BEST, LAST, METRICS_FILE, RUN_FILE, CURVES}
    said = json.loads((tmp_path / RUN_FILE).read_text())
    assert said["state"]["done"]
    assert said["command"] == "forgery-train --detector toy"
    assert len(said["stores"][location]) == 64
    assert torch.__version__.startswith(said["versions"]["torch"])
    assert said["recipe"]["cropping"]["size"] == 32
    best = checkpoint.load(tmp_path / BEST)
    assert best.about["value"] == state.best
    assert not best.training
    assert best.build().state_dict().keys() == best.network.keys()
    rows = logged(tmp_path, "rate")
    rates = {row[2]: float(row[3]) for row in rows if row[0] == "train" and row[1] == "first"}
    per_epoch = len(rates) // 4
    assert rates["1"] == 0.01
    assert rates[str(2 * per_epoch + 1)] == pytest.approx(0.001)
    assert [row[0] for row in rows].count("val") == 5


def test_what_is_told_while_training_is_the_training_loss(location, tmp_path):
    remarks = set()

    class Told(Silent):
        @contextlib.contextmanager
        def stage(self, title, total):
            yield lambda steps, remark: remarks.add(remark)

    train(job(location, tmp_path, "every_steps=5"), Told())
    trained = {f"{float(row[3]):.3g}" for row in logged(tmp_path, "loss") if row[0] == "train"}
    told = {remark.split(",")[0].removeprefix("loss ") for remark in remarks - {""}}
    assert told
    assert told <= trained


def test_the_best_comes_back_at_a_drop_and_after_each_phase(location, tmp_path, monkeypatch):
    places = []

    def noted(run):
        places.append((run.state.phase, run.state.epoch))
        load_best(run)

    monkeypatch.setattr("models.training.loop.load_best", noted)
    train(job(location, tmp_path, "epochs=4", "drops=1,3"))
    assert places == [(0, 1), (0, 3), (0, 4), (1, 1)]
    assert same(weights(tmp_path, BEST), weights(tmp_path))


def test_the_epoch_s_means_reach_the_network(location, tmp_path):
    train(job(location, tmp_path, "epochs=1", "drops=none", steps=100))
    rows = [float(row[3]) for row in logged(tmp_path, "term_class") if row[0] == "train" and row[1] == "second"]
    assert weights(tmp_path)["seen"].item() == pytest.approx(np.mean(rows))


@pytest.mark.parametrize("micro", [1, 3])
def test_micro_batches_give_the_whole_batch_s_losses(location, tmp_path, micro):
    for name, more in (("whole", 0), ("parts", micro)):
        train(job(location, tmp_path / name, frozen_norm=True, micro=more))
    for whole, parts in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert float(parts[3]) == pytest.approx(float(whole[3]), abs=1e-5)


def test_less_memory_means_smaller_pieces(location, tmp_path):
    train(job(location, tmp_path / "whole", frozen_norm=True))
    state = train(job(location, tmp_path / "parts", "fits=3", frozen_norm=True))
    assert state.micro == 2
    for whole, parts in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert float(parts[3]) == pytest.approx(float(whole[3]), abs=1e-5)


def test_on_a_cpu_the_free_memory_decides(location, tmp_path, monkeypatch):
    train(job(location, tmp_path / "whole", frozen_norm=True))
    settings = TOY.parse([])
    batch = {"image": torch.rand(4, 3, 32, 32), "label": torch.arange(4) % 2, "ssim": torch.zeros(4, 1, 32, 32)}
    network = TOY.build(settings, False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    each = batch_memory.activations(network, {name: values[:2] for name, values in batch.items()}) / 2
    assert each >= (3 * 32**2 + 6 * 16**2 + 32**2) * 4  # at least the input, the features and the map
    assert same(before, network.state_dict())
    monkeypatch.setattr(batch_memory, "available", lambda: int(3.5 * each / batch_memory.SHARE))
    assert batch_memory.rows_that_fit(network, batch) == 3
    state = train(job(location, tmp_path / "parts", frozen_norm=True))
    assert 0 < state.micro < 8  # the whole batch
    for whole, parts in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert float(parts[3]) == pytest.approx(float(whole[3]), abs=1e-5)


def test_sixteen_bits(location, tmp_path):
    state = train(job(location, tmp_path, precision="bf16"))
    assert state.done
    assert all(value.dtype != torch.bfloat16 for value in weights(tmp_path).values())


def test_no_memory_for_a_single_row(location, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Toy, "forward", full)
    with pytest.raises(TrainingError, match=r"single row of 32 pixels.*--set size"):
        train(job(location, tmp_path))
    assert not (tmp_path / LAST).exists()


@pytest.mark.slow
def test_two_processes_give_one_process_s_losses(location, tmp_path):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        "--local-addr=127.0.0.1",
    ]
    done = subprocess.run(
        [*command, str(SUPPORT / "train_toy.py"), location, str(tmp_path / "two")],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    train(job(location, tmp_path / "one", "batch=7", frozen_norm=True))
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) > 10
    assert torch.equal(weights(tmp_path / "one")["level"], weights(tmp_path / "two")["level"])
    for first, second in zip(one, two, strict=True):
        assert first[:3] == second[:3]
        assert float(second[3]) == pytest.approx(float(first[3]), abs=1e-4)


def test_a_loss_that_is_no_number(location, tmp_path):
    train(job(location, tmp_path, steps=3))
    before = {name: (tmp_path / name).read_bytes() for name in (BEST, LAST)}
    with pytest.raises(TrainingError, match=r"After step 1 the loss is no number \(loss, class\).*lr"):
        train(job(location, tmp_path / "other", "broken=1"))
    assert not (tmp_path / "other" / LAST).exists()
    assert before == {name: (tmp_path / name).read_bytes() for name in (BEST, LAST)}


def test_scores_that_are_no_numbers(location, tmp_path, monkeypatch):
    train(job(location, tmp_path, steps=3))
    before = (tmp_path / LAST).read_bytes()
    monkeypatch.setattr(Toy, "score", lambda network, outputs: outputs.logits[:, 0] * torch.nan)
    with pytest.raises(ScoreError, match=r"After step \d+, in validation: .* no number for 36 of 36 rows"):
        train(job(location, tmp_path, resume=True))
    assert (tmp_path / LAST).read_bytes() == before


def test_ctrl_c_saves_and_goes_on_exactly(location, tmp_path, monkeypatch):
    train(job(location, tmp_path / "whole"))
    forward, passes = Toy.forward, []

    def interrupted(self, batch):
        passes.append(self.training)
        if self.training and sum(passes) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return forward(self, batch)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Toy, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(job(location, tmp_path / "parts"))
    assert signal.getsignal(signal.SIGINT) is before
    assert checkpoint.load(tmp_path / "parts" / LAST).training["state"]["step"] == 5
    train(job(location, tmp_path / "parts", resume=True))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_stopped_before_any_validation_there_is_a_best_all_the_same(location, tmp_path):
    train(job(location, tmp_path, steps=1))
    best = checkpoint.load(tmp_path / BEST)
    assert best.about["value"] is None
    assert best.about["provisional"]["auc"] is not None


def test_runs_are_not_mixed(location, tmp_path):
    train(job(location, tmp_path, steps=2))
    with pytest.raises(ConfigError, match="--resume goes on"):
        train(job(location, tmp_path, steps=2))
    with pytest.raises(ConfigError, match=r"settings\.batch \(was 8, now 4\)"):
        train(job(location, tmp_path, "batch=4", resume=True))
    assert train(job(location, tmp_path, "batch=4", steps=1, overwrite=True)).step == 1
    (tmp_path / LAST).write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        train(job(location, tmp_path, "batch=4", resume=True))


def test_fine_tuning_begins_with_another_run_s_weights(location, tmp_path):
    train(job(location, tmp_path / "first", steps=3))
    best = tmp_path / "first" / BEST
    tuned = job(location, tmp_path / "second", "lr=0", "epochs=1", "drops=none", init=best)
    train(dataclasses.replace(tuned, steps=1))
    assert same(of_main(weights(tmp_path / "second")), weights(tmp_path / "first", BEST))
    said = json.loads((tmp_path / "second" / RUN_FILE).read_text())["init"]
    assert (said["step"], list(said["stores"])) == (3, [location])
    best.unlink()  # a resume has all it needs
    train(dataclasses.replace(tuned, resume=True))
    assert json.loads((tmp_path / "second" / RUN_FILE).read_text())["init"] == said


def test_what_a_network_measures_is_taken_once_a_run_and_again_for_another_store(location, tmp_path):
    """The mean of the rows that the first epoch begins with, in checkpoint, run.json and log; not at a resume."""

    class Log(Silent):
        lines = []  # noqa: RUF012

        def say(self, text):
            self.lines.append(text)

    def measured(out):
        return json.loads((out / RUN_FILE).read_text())["measured"]

    train(job(location, tmp_path / "first", steps=3), Log())
    reader = open_store(location)
    rows = np.flatnonzero(reader.columns["split"] == reader.names["split"].index("train"))
    image, fake = reader.gather("image", rows) / 255, reader.columns["label"][rows] == 1
    shares = fake / fake.sum() + ~fake / (~fake).sum()  # one real to one fake
    assert measured(tmp_path / "first")["image"]["mean"] == pytest.approx(
        [np.average(image.mean((1, 2, 3)), weights=shares)], abs=1e-3
    )
    assert measured(tmp_path / "first")["stores"] == {location: reader.digest}
    assert weights(tmp_path / "first")["level"].item() == measured(tmp_path / "first")["image"]["mean"][0]
    assert sum("Measured on 48 rows of training: image mean" in line for line in Log.lines) == 1
    before = measured(tmp_path / "first")
    train(job(location, tmp_path / "first", steps=3, resume=True), Log())
    assert measured(tmp_path / "first") == before
    assert sum("Measured on" in line for line in Log.lines) == 1
    other = make_store(tmp_path / "other.zarr", size=32, strength=150)
    train(job(other, tmp_path / "second", init=tmp_path / "first" / BEST, steps=1, frozen_norm=True), Log())
    assert measured(tmp_path / "second")["image"]["mean"][0] > before["image"]["mean"][0] + 0.01
    assert list(measured(tmp_path / "second")["stores"]) == [other]


def test_fine_tuning_needs_a_checkpoint_that_fits(location, tmp_path):
    train(job(location, tmp_path / "first", steps=1))
    first = tmp_path / "first" / BEST
    with pytest.raises(CheckpointError, match="no checkpoint"):
        train(job(location, tmp_path / "second", init=tmp_path / "none.ckpt"))
    grnet = detectors.DETECTORS["grnet"]
    with pytest.raises(ConfigError, match="holds toy; grnet cannot begin with it"):
        train(job(location, tmp_path / "second", detector=grnet, init=first))
    with pytest.raises(ConfigError, match=r"init \(was none, now .*best\.ckpt\)"):
        train(job(location, tmp_path / "first", init=first, resume=True))
    assert not (tmp_path / "second").exists()


def test_several_classes(location, tmp_path):
    train(job(location, tmp_path, "classes=3", "epochs=1", steps=2))
    assert checkpoint.load(tmp_path / BEST).about["methods"] == ["Swap", "Patch"]
    with pytest.raises(ConfigError, match=r"have 2: Swap, Patch; set classes=3"):
        train(job(location, tmp_path / "more", "classes=5"))


def test_two_stores_of_other_sizes_and_methods(location, tmp_path):
    other = make_store(tmp_path / "other.zarr", size=48, methods=("New",), compressions=("c40", "c23"), people=1)
    both = Job((location, other), TOY, TOY.parse(["epochs=1"]), tmp_path / "run", device="cpu", pretrained=False)
    assert train(both).done
    said = json.loads((tmp_path / "run" / RUN_FILE).read_text())
    assert said["rows"]["train"] == 36 + 12


def without(location, tmp_path, **columns):
    """Copy a store with some columns changed."""
    path = make_store(tmp_path / "changed.zarr", size=32, blends=False)
    group = store.open_group(path, "r+")
    for name, change in columns.items():
        store.write_column(group, name, change(store.read(store.array_of(group, name))))
    return path


def test_stores_that_cannot_teach(location, tmp_path):
    lacking = make_store(tmp_path / "lacking.zarr", kinds=("mask",), blends=False)
    with pytest.raises(StoreError, match=r"no ssim, which toy learns from.*forgery-prep labels --kind ssim"):
        train(job(lacking, tmp_path / "run"))
    with pytest.raises(StoreError, match="forgery-prep blend"):
        train(
            job(
                make_store(tmp_path / "b.zarr", blends=False), tmp_path / "run", detector=detectors.DETECTORS["bigarts"]
            )
        )
    only = without(location, tmp_path, split=np.zeros_like)
    with pytest.raises(StoreError, match="no validation split"):
        train(job(only, tmp_path / "run"))
    real = without(location, tmp_path, label=np.zeros_like)
    with pytest.raises(StoreError, match=r"train split .* has no fake face"):
        train(job(real, tmp_path / "run"))
    with pytest.raises(StoreError, match="no row of split train and compression raw"):
        train(job(location, tmp_path / "run", "compression=raw"))
    group = store.open_group(real, "r+")
    group.attrs["format_version"] = 99
    with pytest.raises(StoreError, match="format version 99"):
        train(job(real, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu(location, tmp_path):
    with pytest.raises(ConfigError, match="no GPU"):
        train(Job((location,), TOY, TOY.parse([]), tmp_path, device="cuda"))


def test_another_store_validates(location, tmp_path):
    lacking = make_store(tmp_path / "two.zarr", size=32, splits=("train",))
    with pytest.raises(StoreError, match=r"no validation split.*--val-store"):
        train(job(lacking, tmp_path / "none", "epochs=1"))
    with pytest.raises(StoreError, match=r"two.zarr is trained on and has no validation split"):
        train(job(lacking, tmp_path / "none", "epochs=1", val_stores=(lacking,)))
    out = tmp_path / "run"
    train(job(lacking, out, "epochs=1", val_stores=(location,)))
    told = json.loads((out / RUN_FILE).read_text())
    assert list(told["val_stores"]) == [location]
    assert told["rows"]["val"] == 36
    whole = tmp_path / "whole"
    train(job(location, whole, "epochs=1", val_stores=(lacking,)))
    assert json.loads((whole / RUN_FILE).read_text())["rows"]["val"] == 36


def test_validation_may_have_more_methods_than_training(location, tmp_path):
    out = tmp_path / "run"
    train(job(location, out, "epochs=1", "methods=Swap", "val_methods=Swap,Patch", "metric=method_auc"))
    rows = json.loads((out / RUN_FILE).read_text())["rows"]
    assert rows == {"train": 24, "val": 36}
