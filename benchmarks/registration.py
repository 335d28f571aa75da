"""Alter fakes of true pairs in every usual way and see what registration makes of it.

`python benchmarks/registration.py ROOT... --out CSV` takes datasets in FaceForensics++'s layout with masks, such as
`forgery-prep sample` makes, also from clips of one's own. Each fake is written again as it is and with each alteration,
at the quality of its level. What is found decides what `registration = refuse` does; what is made of it with
`registration = follow` gives ssim labels, which are compared with the fake's mask, beside the labels of the fake that
was written again without an alteration. `--summary CSV...` lays the files of several such runs out in one table.
"""

import argparse
import contextlib
import csv
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Counts, Detection, Recipe, Sampling
from pipeline.crop import crops, following, masks, plan
from pipeline.crop.following import Original
from pipeline.crop.reading import Context, Reader
from pipeline.crop.staging import Source
from pipeline.labels import LABELS
from pipeline.manifest import NATIVE, REAL, Video
from pipeline.video import frames
from pipeline.video.encode import write_video

Frame = NDArray[np.uint8]
Film = list[Frame]
Change = Callable[[Film], Film]
PLAIN = "none"
FRAMES = 8  # whose labels are compared
CRF = {"raw": 0, "c23": 23, "c40": 40}


def each(change: Callable[[Frame], Frame]) -> Change:
    """Return the change of a film that changes each frame."""
    return lambda film: [np.ascontiguousarray(change(frame)) for frame in film]


def late(count: int) -> Change:
    """Begin later."""
    return lambda film: film[count:]


def early(count: int) -> Change:
    """Begin earlier, with a still."""
    return lambda film: ([film[0]] * count + film)[: len(film)]


def dropped(share: float) -> Change:
    """Drop one frame, at a share of the film."""
    return lambda film: [frame for number, frame in enumerate(film) if number != round(share * len(film))]


def cropped(share: float, again: bool) -> Change:
    """Cut off a share of both sides, more at the left and above; `again` scales what is left to the old size."""

    def change(frame: Frame) -> Frame:
        height, width = frame.shape[:2]
        left, top = (int(0.6 * share * side) // 2 * 2 for side in (width, height))
        across, down = (round((1 - share) * side) // 2 * 2 for side in (width, height))
        cut = frame[top : top + down, left : left + across]
        return resized(cut, (width, height)) if again else cut

    return each(change)


def resized(frame: Frame, size: tuple[int, int]) -> Frame:
    """Scale a frame to width and height."""
    smaller = size[0] < frame.shape[1]
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC), np.uint8)


def scaled(factor: float) -> Change:
    """Scale the whole picture."""
    return each(lambda frame: resized(frame, (even(factor * frame.shape[1]), even(factor * frame.shape[0]))))


def even(length: float) -> int:
    """Round to an even number, as encoders want it."""
    return round(length / 2) * 2


def bars(share: float) -> Change:
    """Put black bars above and below, and shrink the picture between them."""

    def change(frame: Frame) -> Frame:
        height, width = frame.shape[:2]
        bar = even(share * height)
        barred = np.zeros_like(frame)
        barred[bar : height - bar] = resized(frame, (width, height - 2 * bar))
        return barred

    return each(change)


def painted(share: float) -> Change:
    """Paint the rim above and below black."""

    def change(frame: Frame) -> Frame:
        bar = even(share * frame.shape[0])
        barred = frame.copy()
        barred[:bar] = barred[-bar:] = 0
        return barred

    return each(change)


mirror = each(lambda frame: frame[:, ::-1])


def turn(degrees: int) -> Change:
    """Turn clockwise."""
    return each(lambda frame: np.rot90(frame, -degrees // 90))


def slower(film: Film) -> Film:
    """Convert 24 frames a second to 30."""
    return [film[number * 4 // 5] for number in range(len(film) * 5 // 4)]


def both(first: Change, second: Change) -> Change:
    """Make two changes."""
    return lambda film: second(first(film))


ALTERATIONS: dict[str, Change] = {
    PLAIN: list,
    **{f"{count} late": late(count) for count in (1, 2, 3, 7, 25)},
    **{f"{count} early": early(count) for count in (1, 2, 3, 7, 25)},
    "half the rate": lambda film: film[::2],
    "24 to 30": slower,
    "frame dropped at 1/3": dropped(1 / 3),
    "frame dropped at 2/3": dropped(2 / 3),
    **{f"cropped {share}%": cropped(share / 100, again=False) for share in (2, 5, 10, 20)},
    **{f"cropped {share}%, scaled back": cropped(share / 100, again=True) for share in (2, 5, 10, 20)},
    **{f"scale {factor}": scaled(factor) for factor in (0.5, 0.75, 1.5, 2)},
    "bars 10%": bars(0.1),
    "bars painted 5%": painted(0.05),
    "mirrored": mirror,
    **{f"turned {degrees}": turn(degrees) for degrees in (90, 180, 270)},
    "only encoded at CRF 40": list,
    "3 late, mirrored": both(late(3), mirror),
    "2 early, cropped 10%": both(early(2), cropped(0.1, again=False)),
    "7 late, scale 0.75": both(late(7), scaled(0.75)),
    "half the rate, bars 10%": both(lambda film: film[::2], bars(0.1)),
    "mirrored, turned 90": both(mirror, turn(90)),
}
TRUE = {PLAIN, "only encoded at CRF 40", *(name for name in ALTERATIONS if name.startswith("scale"))}
COLUMNS = ("pair", "level", "alteration", "found", "outcome", "told", "rows", "iou", "plain")


@dataclasses.dataclass(frozen=True)
class Pair:
    """A fake with its real and its mask."""

    name: str
    level: str
    real: Path
    fake: Path
    mask: Path


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one altered fake; a line of the CSV file."""

    pair: str
    level: str
    alteration: str
    found: str  # what `refuse` would say; empty: a true pair
    outcome: str  # of `follow`: true pair, followed, refused
    told: str  # what was undone, or why not
    rows: int  # frames of the real compared that it shows
    iou: float  # of ssim labels and mask
    plain: float  # that of the unaltered fake in the same frames


def pairs(root: Path, level: str) -> Iterator[Pair]:
    """Give the pairs of a dataset in FaceForensics++'s layout."""
    for fake in sorted((root / "manipulated_sequences").glob(f"*/{level}/videos/*.mp4")):
        method, name = fake.parts[-4], fake.name
        real = root / "original_sequences" / "youtube" / level / "videos" / f"{fake.stem.split('_')[0]}.mp4"
        mask = root / "manipulated_sequences" / method / "masks" / "videos" / name
        yield Pair(f"{root.name}/{method}/{fake.stem}", level, real, fake, mask)


def film_of(path: Path) -> Film:
    """Read every frame."""
    return [frame for _, frame in frames.read(path, range(frames.probe(path).frames))]


def outcomes(pair: Pair, names: Sequence[str], folder: Path) -> Iterator[Outcome]:
    """Alter one fake in every way, register it, and label what is followed."""
    few = Counts(FRAMES, FRAMES, FRAMES)
    recipe = Recipe(sampling=Sampling(real=few, fake=few), detection=Detection(registration="follow"))
    context = Context(folder, recipe)
    video = Video("real", str(pair.real.resolve()), REAL, NATIVE, "train", "real", "real")
    planned, _ = plan.plan((video,), (), context)
    if planned is None or not planned.faces.tracks:
        return
    faces = planned.faces
    real = following.originals(planned.main.sources, faces.boxes(range(len(faces.tracks))), context)[NATIVE]
    truth = _truth(pair, real, context)
    film = film_of(pair.fake)
    plain: dict[int, float] = {}
    for name in names:
        crf = 40 if name == "only encoded at CRF 40" else CRF[pair.level]
        write_video(folder / "fake.mp4", ALTERATIONS[name](film), fps=25, crf=crf)
        probe = frames.probe(folder / "fake.mp4")
        about = Video("fake", "fake.mp4", "fake", NATIVE, "train", "real", target="real")
        fake = Source(about, probe.frames, probe.width, probe.height, "")
        found = following.relation(fake, real, context).describe()
        kept, told = following.follow([fake], {NATIVE: real}, context, FRAMES)
        ious = _ious(kept[0], real, truth, pair.level, context) if kept else {}
        plain = plain or ious
        both = sorted(ious.keys() & plain.keys())
        outcome = "refused" if not kept else "followed" if kept[0].followed else "true pair"
        words = "; ".join(reject.reason for reject in told)
        values = (_mean([each[frame] for frame in both]) for each in (ious, plain))
        yield Outcome(pair.name, pair.level, name, found, outcome, words, len(both), *values)


def _truth(pair: Pair, real: Original, context: Context) -> dict[int, NDArray[np.uint8]]:
    """Return the mask in the crops of the real's sampled frames."""
    masked = dict(masks.read(pair.mask, sorted(real.boxes), masks.How()))
    threshold, settings = context.recipe.labelling.mask_threshold, context.recipe.cropping
    return {
        frame: (crops.crop_mask(grey, _box(real, frame, context), settings) > 255 * threshold).astype(np.uint8)
        for frame, grey in masked.items()
    }


def _box(real: Original, frame: int, context: Context) -> NDArray[np.float32]:
    return crops.enlarge(np.asarray(real.boxes[frame][0]), *real.size, context.recipe.cropping)


def _ious(
    fake: Source, real: Original, truth: dict[int, NDArray[np.uint8]], level: str, context: Context
) -> dict[int, float]:
    """Return the IoU of ssim label and mask by frame, for those frames whose face the fake's picture covers."""
    settings, own = context.recipe.cropping, (fake.width, fake.height)
    theirs = dict(Reader(context, real.source, sorted(truth)))
    found = {}
    for frame, picture in Reader(context, fake, sorted(truth)):
        box = _box(real, frame, context)
        if frame in theirs and (fake.followed is None or fake.followed.reaches(box, real.size)):
            crop = crops.crop(picture, crops.rescale(box, real.size, own), settings)
            pair = crop, crops.crop(theirs[frame], box, settings)
            label = LABELS["ssim"].compute(*pair, context.recipe.labelling, level)
            union = ((label == 1) | (truth[frame] == 1)).sum()
            found[frame] = float(((label == 1) & (truth[frame] == 1)).sum() / union) if union else 1.0
    return found


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else float("nan")


def summary(lines: Sequence[dict[str, str]]) -> Iterator[str]:
    """Lay outcomes out as a Markdown table, a line for each alteration."""
    yield "| alteration | fakes | found | refused by `follow` | followed | IoU | unaltered | largest loss |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in ALTERATIONS:
        here = [line for line in lines if line["alteration"] == name]
        if not here:
            continue
        scored = [(float(line["iou"]), float(line["plain"])) for line in here if line["iou"] not in ("", "nan")]
        cells = [sum(bool(line["found"]) for line in here)]
        cells += [sum(line["outcome"] == kind for line in here) for kind in ("refused", "followed")]
        means = [f"{np.mean(column):.3f}" for column in zip(*scored, strict=True)] or ["-", "-"]
        loss = f"{max(plain - own for own, plain in scored):.3f}" if scored else "-"
        yield "| " + " | ".join([name, str(len(here)), *map(str, cells), *means, loss]) + " |"


def main() -> None:
    """Write a line for every fake and alteration, or a table of such lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="*", type=Path, help="datasets")
    parser.add_argument("--level", default="c23", choices=CRF, help="compression of the files that are altered")
    parser.add_argument("--every", type=int, default=1, help="take every N-th fake")
    parser.add_argument("--skip", type=int, default=0, help="begin with another fake than the first")
    parser.add_argument("--only", nargs="*", default=list(ALTERATIONS), metavar="NAME", help="alterations")
    parser.add_argument("--out", type=Path, help="CSV file; lines are added to one that is there")
    parser.add_argument("--summary", nargs="*", type=Path, metavar="CSV", help="print the table of such files")
    chosen = parser.parse_args()
    if chosen.summary:
        lines = [line for path in chosen.summary for line in csv.DictReader(path.open(newline=""))]
        sys.stdout.writelines(f"{line}\n" for line in summary(lines))
        return
    new = chosen.out is None or not chosen.out.exists()
    with chosen.out.open("a", newline="") if chosen.out else contextlib.nullcontext(sys.stdout) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([COLUMNS] * new)
        for root in chosen.roots:
            for pair in list(pairs(root, chosen.level))[chosen.skip :: chosen.every]:
                with tempfile.TemporaryDirectory() as folder:
                    for outcome in outcomes(pair, list(dict.fromkeys([PLAIN, *chosen.only])), Path(folder)):
                        writer.writerow(dataclasses.astuple(outcome))
                        stream.flush()


if __name__ == "__main__":
    main()
