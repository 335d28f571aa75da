"""Checkpoints: tensors and one JSON text, written atomically, and read without executing anything they contain."""

import hashlib
import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.detectors import find
from models.detectors.base import Detector, Network
from models.detectors.settings import Settings
from pipeline.errors import CheckpointError, first_line
from pipeline.files import replacing
from pipeline.store.writing import writing

VERSION = 1
KEYS = {"version", "about", "network", "training"}


@dataclass(frozen=True)
class Checkpoint:
    """A detector's weights, its description, and the state of its training.

    Attributes
    ----------
    about : dict
        Plain values: `detector`, `settings`, `methods` (the classes beyond real, in order), `stores`, `recipe`, `value`
        (of the validation metric) and the rest of the run's description.
    network : dict of str to Tensor
        The network's `state_dict`.
    training : dict
        What a resumed run needs: the optimisers' states and the position; empty in `best.ckpt`.
    """

    about: dict[str, Any]
    network: dict[str, Tensor]
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def detector(self) -> Detector:
        """The detector it belongs to; raises ConfigError for an unknown one."""
        return find(str(self.about["detector"]))

    @property
    def settings(self) -> Settings:
        """The detector's settings."""
        return self.detector.restore(self.about["settings"])

    def build(self) -> Network:
        """Return the detector's network with these weights.

        Raises
        ------
        CheckpointError
            The weights do not fit the network.
        """
        network = self.detector.build(self.settings, False)
        fill(network, self.network)
        return network


def fill(network: Network, state: Mapping[str, Any]) -> None:
    """Load weights into a network; raises CheckpointError where they do not fit."""
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).splitlines()[:2]
        raise CheckpointError(f"The checkpoint's weights do not fit its detector: {' '.join(first)}") from error


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: the old file stays until the new one is complete; raises WriteError."""
    about = json.dumps(checkpoint.about)
    network = {name: value.detach().cpu() for name, value in checkpoint.network.items()}
    values = {
        "version": VERSION,
        "about": about,
        "network": network,
        "training": checkpoint.training,
        "digest": _digest(about, network),
    }
    data = io.BytesIO()  # a full disk is met by one plain write, not inside torch's own writer
    torch.save(values, data)
    with writing(str(path)), replacing(path) as part:
        part.write_bytes(data.getbuffer())


def load(path: Path | str) -> Checkpoint:
    """Read a checkpoint; only tensors and plain values are created from it.

    Raises
    ------
    CheckpointError
        It is missing, damaged, of another version, or contains anything else.
    """
    try:
        _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles it then refuses
            values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint {path}; forgery-train makes one.") from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is no checkpoint of this program: it holds something else than tensors, and was not run."
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        raise CheckpointError(f"{path} is damaged or no checkpoint at all: {first_line(error)}.") from error
    return _checked(path, values)


def _digest(about: str, network: Mapping[str, Tensor]) -> str:
    """Return a digest of a checkpoint's description and weights, with their names, types and shapes."""
    total = hashlib.blake2b(about.encode())
    for name, value in network.items():
        total.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _check_archive(path: Path | str) -> None:
    """Refuse what torch would read without noticing: bytes that changed since, and sizes that a header makes up.

    Raises
    ------
    ValueError
    """
    size = Path(path).stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            files = archive.infolist()
            if sum(file.file_size for file in files) > size or any(file.compress_type for file in files):
                raise ValueError("it states other sizes than it has")
            if changed := archive.testzip():
                raise ValueError(f"the bytes of {changed} have changed")
    except (zipfile.BadZipFile, struct.error, NotImplementedError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(first_line(error)) from error


def _checked(path: Path | str, values: Any) -> Checkpoint:
    if not (isinstance(values, dict) and set(values) >= KEYS):
        raise CheckpointError(f"{path} is no checkpoint of this program; forgery-train makes them.")
    if values["version"] != VERSION:
        raise CheckpointError(f"{path} has checkpoint version {values['version']}; this program reads {VERSION}.")
    try:
        about = json.loads(str(values["about"]))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: its description cannot be read.") from error
    if not isinstance(about, dict) or {"detector", "settings"} - set(about):
        raise CheckpointError(f"{path} is damaged: its description names no detector.")
    _check_weights(path, values["network"])
    if values.get("digest", "") not in ("", _digest(str(values["about"]), values["network"])):  # older ones have none
        raise CheckpointError(f"{path} is damaged: its weights are not those that were written.")
    if not isinstance(values["training"], dict):
        raise CheckpointError(f"{path} is damaged: what a resume needs is no table.")
    return Checkpoint(about, values["network"], values["training"])


def _check_weights(path: Path | str, network: Any) -> None:
    """Refuse what is no table of tensors, and weights that are no numbers: every score would be none either."""
    named = isinstance(network, dict) and all(isinstance(name, str) for name in network)
    if not (named and network and all(isinstance(value, Tensor) for value in network.values())):
        raise CheckpointError(f"{path} is damaged: it holds no weights.")
    broken = [name for name, value in network.items() if not value.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{path} holds weights that are no numbers, in {len(broken)} of {len(network)} tensors, first {broken[0]}; "
            "take an earlier checkpoint, or train again with a lower learning rate."
        )
