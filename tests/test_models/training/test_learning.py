"""Every detector learns sixteen real face crops by heart, judged the way it is used: in evaluation mode.

Rates are high, since the networks begin with random weights and see each crop a few times only. So is the momentum of
batch norm's running averages: at 0.1 most of the steps pass until these have caught up with weights learnt long before.
"""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import BatchNorm2d

from models.data.collate import to_device
from models.data.loader import Loading
from models.data.row_table import FAKE, REAL, Choice, choose
from models.data.store_reader import open_store
from models.detectors import DETECTORS

STEPS = 40  # each takes 4 to 12
MOMENTUM = 0.5
FAST = {
    "wavelet": ("size=64", "lr=1e-3", "optimiser=adam"),
    "grnet": ("size=64", "lr=1e-3"),
    "locate": ("size=64", "lr=1e-3", "two_steps=off"),
    "anticompression": ("size=64", "lr=1e-3", "compression=c23", "high=raw"),
    "bigarts": ("size=64", "lr=2e-3", "blend=none"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_sixteen_crops_are_learnt_by_heart(name, tiny_store):
    detector = DETECTORS[name]
    settings = detector.parse(FAST[name])
    plan = detector.plan(settings)
    reader = open_store(str(tiny_store))
    table = choose([reader], Choice("train", compression="c23", twin=plan.twin))
    rows = np.concatenate([np.flatnonzero(table.source == source)[:8] for source in (REAL, FAKE)])
    assert len(rows) == 16
    batch = to_device(Loading([reader], plan.maps, bool(plan.twin)).load(table, rows), plan.size, torch.device("cpu"))
    network = detector.build(settings, False).to(memory_format=torch.channels_last)
    for norm in network.modules():
        if isinstance(norm, BatchNorm2d) and norm.momentum is not None:  # None: the mean over all batches
            norm.momentum = MOMENTUM
    network.start(plan.phases[-1])
    optimisers = {step.name: step.create(network.parameters_of(step.name)) for step in plan.phases[-1].steps}
    for number in range(STEPS):
        network.train()
        outputs = network(batch)
        for step, optimiser in optimisers.items():
            optimiser.zero_grad()
            sum(network.loss(outputs, batch, step).values()).backward()
            optimiser.step()
        if number % 2 and _auc(network, batch) == 1:
            return
    raise AssertionError(f"after {STEPS} steps the frame AUC of the crops learnt is {_auc(network, batch)}")


def _auc(network, batch):
    with torch.no_grad():
        score = network.eval().score(network({"image": batch["image"]}))
    return roc_auc_score(batch["label"], score)
