"""Train the toy detector under torchrun: the processes of a test."""

import dataclasses
import sys
from pathlib import Path

import torch
from toy import TOY

from models import detectors
from models.training.loop import train
from models.training.setup import Job

if __name__ == "__main__":
    torch.set_num_threads(1)
    detectors.DETECTORS["toy"] = TOY
    settings = dataclasses.replace(TOY.parse([]), batch=7)
    train(Job((sys.argv[1],), TOY, settings, Path(sys.argv[2]), device="cpu", pretrained=False))
