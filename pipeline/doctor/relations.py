"""Relations of fakes to their reals, measured as a run would, on a few frames of each: what a run would refuse."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Counts, Recipe, Sampling
from pipeline.crop import following, groups
from pipeline.crop.groups import Group
from pipeline.crop.plan import plan
from pipeline.crop.reading import Context
from pipeline.manifest import Dataset
from pipeline.manifest.leaks import some
from pipeline.progress import Progress
from pipeline.stages.cluster import cluster

FACES = 8  # frames of a real in which its faces are looked for
SAME, STILL = "frame by frame", "undetermined in time: too little moves to tell its frames apart"


@dataclass(frozen=True)
class Related:
    """What one fake's file is to its real's."""

    fake: str  # paths relative to the root
    real: str
    method: str
    relation: str  # SAME, STILL, or a clause such as `shows frame i + 3`


def measure(
    dataset: Dataset, recipe: Recipe, workers: int, progress: Progress, skip: Collection[str] = ()
) -> list[Related]:
    """Measure how every fake is related to its real.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
        Its settings of detection.
    workers : int
        Processes; one is this process itself.
    progress : Progress
    skip : collection of str
        Paths known to be of no use.

    Returns
    -------
    list of Related
        One for each file of a fake that can be read beside its real's, by the fake's path.
    """
    usable = dataclasses.replace(dataset, videos=tuple(v for v in dataset.videos if v.path not in skip))
    todo = [group for group in groups.groups(usable) if group.reals and group.fakes]
    tasks = [(group, dataset.root, recipe, dataset.cropped) for group in todo]
    found: list[Related] = []
    with contextlib.ExitStack() as stack:
        results: Iterator[list[Related]] = (of_group(*task) for task in tasks)
        if min(workers, len(tasks)) > 1:
            crew = stack.enter_context(cluster(workers))
            results = (outcome.value or [] for outcome in crew.map(of_group, tasks))
        advance = stack.enter_context(progress.stage("relations", len(tasks)))
        for result in results:
            found += result
            advance(1, "")
    return sorted(found, key=lambda each: each.fake)


def of_group(group: Group, root: Path, recipe: Recipe, cropped: bool) -> list[Related]:
    """Measure the relations of one real video's fakes to it; none of pictures that are face crops already."""
    if cropped:
        return []
    few = Counts(FACES, FACES, FACES)
    detection = dataclasses.replace(recipe.detection, registration="refuse")
    small = dataclasses.replace(recipe, sampling=Sampling(real=few, fake=few), detection=detection)
    context = Context(root, small)
    planned, _ = plan(group.reals, group.fakes, context)
    if planned is None:
        return []
    faces = planned.faces.boxes(range(len(planned.faces.tracks)))
    reals = following.originals(planned.main.sources, faces, context)
    found = []
    for take in planned.fakes:
        for fake in take.sources:
            real = reals[fake.video.compression]
            relation = following.relation(fake, real, context)
            told = relation.describe() or (SAME if relation.timing.determined else STILL)
            found.append(Related(fake.video.path, real.source.video.path, fake.video.method, told))
    return found


def others(found: Sequence[Related]) -> list[Related]:
    """Return the fakes that a run refuses."""
    return [each for each in found if each.relation not in (SAME, STILL)]


def finding(found: Sequence[Related]) -> Iterator[str]:
    """Say how many fakes are not their real frame by frame, if any."""
    if wrong := others(found):
        paths = some([each.fake for each in wrong])
        yield (
            f"{len(wrong)} fakes do not show their real frame by frame (the table says how); a run refuses them, or "
            f"with registration = follow undoes what can be undone: {paths}"
        )


def table(found: Sequence[Related]) -> list[str]:
    """Lay relations out: how many are true pairs by method, then every other one."""
    if not found:
        return []
    methods = {each.method: Counter[str]() for each in found}
    for each in found:
        methods[each.method][each.relation if each.relation in (SAME, STILL) else "other"] += 1
    lines = [f"{'relations of fakes':<20}{'frame by frame':>16}{'undetermined':>16}{'other':>16}"]
    for method, counts in methods.items():
        lines.append(f"{method:<20}" + "".join(f"{counts[kind]:>16}" for kind in (SAME, STILL, "other")))
    width = max([len(each.fake) for each in others(found)], default=0)
    return lines + [f"  {each.fake:<{width}}  {each.relation}" for each in others(found)]
