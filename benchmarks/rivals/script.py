"""What a competent user would write: faces of FaceForensics++ to PNG files with all labels, one process, one thread.

`python benchmarks/rivals/script.py ROOT OUT [--frames 100] [--limit 1] [--reuse]`. Evenly spaced frames; faces by
facenet-pytorch's MTCNN in every frame of every video, or with `--reuse` in the frames of the real video alone, whose
boxes then serve its fakes; crops of 1.3 times the box at 256 pixels; SSIM by scikit-image; masks from their videos;
the noise residual by PyWavelets and SciPy; convex hull and boundary by scikit-image. It checks nothing, and starts from
the beginning when it is stopped. It shares no code with this project.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import pywt
import torch
from facenet_pytorch import MTCNN
from scipy import ndimage
from skimage.metrics import structural_similarity
from skimage.morphology import convex_hull_image, dilation, erosion

SIZE, SCALE, THRESHOLD, SIGMA = 256, 1.3, 13, {"raw": 3.0, "c23": 5.0, "c40": 7.0}
ELLIPSE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
REAL = "original_sequences/youtube/{}/videos/{}.mp4"
FAKE = "manipulated_sequences/{}/{}/videos/{}.mp4"
MASK = "manipulated_sequences/{}/masks/videos/{}.mp4"


def frames(path, wanted):
    """Give the wanted frames of a video, RGB."""
    capture = cv2.VideoCapture(str(path))
    for index in range(wanted[-1] + 1):
        capture.grab()
        if index in wanted:
            found, picture = capture.retrieve()
            if found:
                yield index, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def largest(detector, picture):
    """Find the largest face of a frame: left, top, right, bottom."""
    boxes, _ = detector.detect(picture)
    return None if boxes is None else boxes[0]


def crop(picture, box, interpolation=cv2.INTER_AREA):
    """Cut an enlarged square out of a picture, black beyond its edges."""
    left, top, right, bottom = box
    side = round(max(right - left, bottom - top) * SCALE)
    x, y = round((left + right) / 2 - side / 2), round((top + bottom) / 2 - side / 2)
    padded = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_CONSTANT)
    part = padded[y + side : y + 2 * side, x + side : x + 2 * side]
    return cv2.resize(part, (SIZE, SIZE), interpolation=interpolation)


def residual(image, sigma):
    """Compute the noise that a wavelet filter takes out of a crop's luma."""
    luma = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    approximation, *levels = pywt.wavedec2(luma, "db4", "symmetric", level=4)
    filtered = [np.zeros_like(approximation)]
    for bands in levels:
        noise = []
        for band in bands:
            means = [ndimage.uniform_filter(band**2, window, mode="constant") for window in (3, 5, 7, 9)]
            variance = np.maximum(np.min(means, axis=0) - sigma**2, 0)
            noise.append(band * sigma**2 / (variance + sigma**2))
        filtered.append(tuple(noise))
    return pywt.waverec2(filtered, "db4", "symmetric")[:SIZE, :SIZE]


def write(folder, index, pictures):
    """Write what belongs to one frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        if picture.ndim == 3:
            picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{index:04}_{name}.png"), picture)


def pair_of(real, fake, mask):
    """Label one fake crop."""
    _, similar = structural_similarity(real, fake, win_size=5, channel_axis=2, data_range=255, full=True)
    changed = (1 - similar.mean(axis=2)) * 255 > THRESHOLD
    hull = convex_hull_image(changed) if changed.any() else changed
    whole = hull.astype(np.uint8)
    edge = dilation(whole, ELLIPSE) - erosion(whole, ELLIPSE)
    return {"ssim": changed.astype(np.uint8) * 255, "hull": whole * 255, "boundary": edge * 255, "mask": mask}


def main():
    """Go through the real videos, their fakes and compressions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--compressions", default="c23,c40")
    parser.add_argument("--reuse", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector = MTCNN(select_largest=True, keep_all=False)
    rows = []
    compressions = asked.compressions.split(",")
    names = sorted(path.stem for path in (asked.root / REAL.format(compressions[0], "x")).parent.glob("*.mp4"))
    methods = sorted(path.name for path in (asked.root / "manipulated_sequences").iterdir())
    for name in names[: asked.limit]:
        found = {}
        for compression in compressions:
            real_path = asked.root / REAL.format(compression, name)
            length = int(cv2.VideoCapture(str(real_path)).get(cv2.CAP_PROP_FRAME_COUNT))
            wanted = sorted({index * length // asked.frames for index in range(asked.frames)})
            reals = {}
            for index, picture in frames(real_path, wanted):
                reals[index] = picture
                if not asked.reuse or index not in found:
                    found[index] = largest(detector, picture)
                if found[index] is not None:
                    image = crop(picture, found[index])
                    noise = np.clip(residual(image, SIGMA[compression]) * 8 + 128, 0, 255).astype(np.uint8)
                    write(asked.out / f"real/{compression}/{name}", index, {"image": image, "noise": noise})
                    rows.append((compression, "real", name, index, *found[index]))
            for method in methods:
                for path in sorted((asked.root / FAKE.format(method, compression, "x")).parent.glob(f"{name}_*.mp4")):
                    masks = dict(frames(asked.root / MASK.format(method, path.stem), wanted))
                    for index, picture in frames(path, wanted):
                        box = found[index] if asked.reuse else largest(detector, picture)
                        if box is None or found[index] is None or index not in masks:
                            continue
                        fake = crop(picture, box)
                        mask = crop(masks[index], box, cv2.INTER_NEAREST)[..., 0]
                        noise = np.clip(residual(fake, SIGMA[compression]) * 8 + 128, 0, 255).astype(np.uint8)
                        labels = pair_of(crop(reals[index], box), fake, mask)
                        folder = asked.out / f"{method}/{compression}/{path.stem}"
                        write(folder, index, {"image": fake, "noise": noise, **labels})
                        rows.append((compression, method, path.stem, index, *box))
    with (asked.out / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("compression", "method", "name", "frame", "left", "top", "right", "bottom"), *rows]
        )
    sys.stdout.write(f"{len(rows)} crops\n")


if __name__ == "__main__":
    main()
