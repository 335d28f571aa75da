"""MTCNN's networks and suppression: facenet-pytorch's and torchvision's, whose import a worker does not pay for."""

import subprocess
import sys

import pytest
import torch

from pipeline.faces import networks

COMPILER = ("torch._dynamo", "torchvision", "facenet_pytorch", "sympy")


@pytest.mark.parametrize(("name", "side"), [("pnet", 41), ("rnet", 24), ("onet", 48)])
def test_gives_what_the_reference_gives(name, side):
    from facenet_pytorch import MTCNN

    pictures = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own = getattr(networks.load("cpu"), name)(pictures)
        reference = getattr(MTCNN(), name)(pictures)
    assert torch.equal(own[0], reference[0])
    assert torch.equal(own[1], reference[-1])


def test_faces_are_found_without_torchs_compiler():
    text = (
        "import sys, numpy; from pipeline.faces import mtcnn\n"
        "mtcnn.detect(numpy.random.default_rng(0).integers(0, 255, (60, 60, 3), numpy.uint8), min_face=12)\n"
        f"print([name for name in {COMPILER} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr
