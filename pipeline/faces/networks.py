"""The three networks of MTCNN with the weights that come in facenet-pytorch, and suppression by torchvision.

Neither package is imported: they load torch's compiler, 6 s of processor time in every worker. Layers have the names
that they have in the files of weights.
"""

import contextlib
import functools
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError


class Proposal(nn.Module):
    """P-Net, on windows of 12 pixels: pictures (n, 3, h, w) to shifts (n, 4, H, W) and probabilities (n, 2, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return shifts and probabilities."""
        x = self.prelu2(self.conv2(self.pool1(self.prelu1(self.conv1(x)))))
        x = self.prelu3(self.conv3(x))
        return self.conv4_2(x), self.conv4_1(x).softmax(1)


class Refinement(nn.Module):
    """R-Net: patches (n, 3, 24, 24) to shifts (n, 4) and probabilities (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return shifts and probabilities."""
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.pool(self.prelu2(self.conv2(x)))
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(_flat(x)))
        return self.dense5_2(x), self.dense5_1(x).softmax(1)


class Output(nn.Module):
    """O-Net: patches (n, 3, 48, 48) to shifts (n, 4) and probabilities (n, 2); its five landmarks are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.pool, self.pool3 = nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 2, ceil_mode=True)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2 = nn.Linear(256, 2), nn.Linear(256, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return shifts and probabilities."""
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.pool(self.prelu2(self.conv2(x)))
        x = self.pool3(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(_flat(x)))
        return self.dense6_2(x), self.dense6_1(x).softmax(1)


def _flat(x: Tensor) -> Tensor:
    """Flatten (n, C, H, W) in the order of the weights, which were trained with columns before rows."""
    return x.permute(0, 3, 2, 1).flatten(1)


@dataclass(frozen=True, eq=False)
class Networks:
    """The cascade's three networks on one device."""

    device: torch.device
    pnet: Proposal
    rnet: Refinement
    onet: Output


@functools.cache
def load(device: str) -> Networks:
    """Return the networks on a device, such as `cpu` or `cuda`; raises ConfigError where their weights are not."""
    where = torch.device(device)
    folder = _folder("facenet_pytorch") / "data"
    networks = {"pnet": Proposal(), "rnet": Refinement(), "onet": Output()}
    for name, network in networks.items():
        if not (file := folder / f"{name}.pt").is_file():
            raise ConfigError(f"MTCNN's weights {file} are missing; install the package facenet-pytorch.")
        weights: dict[str, Tensor] = torch.load(file, weights_only=True, map_location="cpu")
        own = network.state_dict()
        network.load_state_dict({layer: values for layer, values in weights.items() if layer in own})
        network.to(where).eval().requires_grad_(False)
    return Networks(where, **networks)  # type: ignore[arg-type]


@functools.cache
def suppression() -> Callable[[Tensor, Tensor, float], Tensor]:
    """Return torchvision's `nms(boxes, scores, limit)`, from its compiled operators alone where they can be loaded."""
    operators: Any = torch.ops.torchvision
    if not hasattr(operators, "nms"):
        for library in sorted(_folder("torchvision").glob("_C*")):
            with contextlib.suppress(OSError):
                torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        if not hasattr(operators, "nms"):  # compiled in another way
            importlib.import_module("torchvision.ops")
    nms: Callable[[Tensor, Tensor, float], Tensor] = operators.nms
    return nms


def _folder(package: str) -> Path:
    """Return the folder of a package, which is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.origin:
        raise ConfigError(f"The package {package.replace('_', '-')} is not installed.")
    return Path(found.origin).parent
