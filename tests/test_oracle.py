"""The oracle: every row, label and blend of a small store, computed again from the videos by plain loops.

Nothing of the code under test is imported: PyAV decodes, and scikit-image, SciPy and PyWavelets compute. Only the
detections (`box`, `landmarks`) are taken from the store.
"""

import av
import cv2
import numpy as np
import pytest
import pywt
import scipy.ndimage as ndi
import xarray
from skimage.measure import label as regions
from skimage.metrics import structural_similarity
from skimage.morphology import convex_hull_image

SIDE = 96
METHODS = ["real", "Warp", "Patch", "Expression", "Rerender"]
COMPRESSIONS = ["raw", "c23", "c40"]
PEOPLE = {"000": ("001", "train"), "001": ("000", "train"), "002": ("003", "test"), "003": ("002", "test")}
FRAMES = {"train": ([0, 2, 3, 5], [0, 3, 5]), "test": ([0, 3, 5], [0, 3, 5])}  # 4 and 3 of six, evenly spaced
SIGMA = {"raw": 5.0, "c23": 5.0, "c40": 10.0}
ELLIPSE_5 = np.array([[0, 0, 1, 0, 0], [1] * 5, [1] * 5, [1] * 5, [0, 0, 1, 0, 0]])
ELLIPSE_7 = np.abs(np.mgrid[-3:4, -3:4]).max(axis=0) < 3
ELLIPSE_7[2:5] = ELLIPSE_7[:, 3] = True


@pytest.fixture(scope="module")
def rows(tiny_store):
    """Return every row as a dict of its values, with names in place of numbers."""
    with xarray.open_zarr(tiny_store) as data:
        data = data.load()
    found = []
    for number in range(data.sizes["sample"]):
        row = {name: values[number] for name, values in data.data_vars.items() if values.dims[0] == "sample"}
        row = {name: values.values for name, values in row.items()}
        for name in ("method", "compression", "split"):
            row[name] = data[name].flag_meanings[int(row[name])]
        video = int(data.video[number])
        for name in ("video_id", "video_path", "video_mask", "video_identity", "video_target", "video_donor"):
            row[name] = str(data[name].values[video])
        found.append(row)
    return found


@pytest.fixture(scope="module")
def blends(tiny_store):
    with xarray.open_zarr(tiny_store, group="blend") as data:
        data = data.load()
    return [
        {name: values[number].values for name, values in data.data_vars.items()}
        | {name: data[name].flag_meanings[int(data[name][number])] for name in ("kind", "split", "compression")}
        for number in range(data.sizes["sample"])
    ]


@pytest.fixture(scope="module")
def films(tiny):
    """Return a function that decodes a video, keeping the frames."""
    kept = {}

    def film(path):
        if path not in kept:
            with av.open(str(tiny.root / path)) as container:
                kept[path] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return kept[path]

    return film


def test_the_rows_are_those_that_were_asked_for(rows):
    asked = set()
    for target, (donor, split) in PEOPLE.items():
        for compression in COMPRESSIONS:
            for method in METHODS:
                real = method == "real"
                folder = "original_sequences/youtube" if real else f"manipulated_sequences/{method}"
                name = target if real else f"{target}_{donor}"
                path = f"{folder}/{compression}/videos/{name}.mp4"
                asked |= {(path, frame, method, compression, split) for frame in FRAMES[split][not real]}
    found = [(r["video_path"], int(r["frame"]), r["method"], r["compression"], r["split"]) for r in rows]
    assert len(found) == len(set(found))
    assert set(found) == asked


def test_pairs(rows):
    for number, row in enumerate(rows):
        real = rows[row["real"]]
        assert real["method"] == "real"
        assert (row["real"] == number) == (row["method"] == "real")
        target = row["video_id"][:3]
        assert row["video_target"] == row["video_identity"] == real["video_id"] == target
        assert row["video_donor"] in ("", PEOPLE[target][0])
        for name in ("frame", "compression", "split", "face"):
            assert row[name] == real[name]
        assert np.array_equal(row["box"], real["box"])  # one size of video: the real's box is the fake's
        twins = [other for other in rows if other["face"] == row["face"]]
        assert {(other["video_target"], int(other["frame"])) for other in twins} == {(target, int(row["frame"]))}


def test_images(rows, films):
    for row in rows:
        expected = cropped(films(row["video_path"])[row["frame"]], row["box"])
        assert near(row["image"], expected, 1, 1e-3), row["video_path"]


def test_a_fake_is_one_where_enough_pixels_differ(rows):
    for row in rows:
        assert row["label"] == (row["method"] != "real" and row["ssim"].any())
    assert {int(row["label"]) for row in rows if row["method"] != "real"} >= {1}


def test_ssim(rows):
    for row in rows:
        fake, real = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in raw_pair(rows, row))
        similarity = structural_similarity(fake, real, win_size=5, data_range=255, full=True)[1]
        marked = np.floor(((1 - similarity) * 255).clip(0, 255)) > 5  # the threshold of raw, whose crops decide
        closed = ndi.binary_erosion(ndi.binary_dilation(marked, ELLIPSE_5), ELLIPSE_5, border_value=1)
        filled = closed.copy()
        gaps = regions(~closed, connectivity=1)
        for number in range(1, gaps.max() + 1):
            if closed.any() and (gaps == number).sum() < 64:
                filled[gaps == number] = True
        expected = filled if filled.sum() >= 8 else np.zeros_like(filled)
        assert np.array_equal(row["ssim"], expected), row["video_path"]


def test_hull_and_boundary(rows):
    for row in rows:
        expected = convex(changed(rows, row))
        ring = ndi.binary_dilation(expected, ELLIPSE_7) ^ ndi.binary_erosion(expected, ELLIPSE_7, border_value=1)
        assert np.array_equal(row["hull"], expected), row["video_path"]
        assert np.array_equal(row["boundary"], ring), row["video_path"]


def test_mask(rows, films):
    for row in rows:
        if row["method"] == "real":
            assert not row["mask"].any()
            continue
        grey = cropped(films(row["video_mask"])[row["frame"]], row["box"])[..., 0]
        expected = ndi.binary_fill_holes(grey > 0.1 * 255)
        assert (row["mask"] != expected).mean() < 1e-3, row["video_path"]  # soft edges may round otherwise


def test_noise(rows):
    for row in rows:
        sigma = SIGMA[row["compression"]]  # the row's own: noise is what its own compression left
        expected = sum(
            share * residual(row["image"][..., channel].astype(float), sigma)
            for channel, share in enumerate((0.29893602, 0.58704307, 0.11402090))
        )
        assert np.abs(row["noise"] - expected).max() < 0.08, row["video_path"]  # stored in eighths of a level


def test_blends(rows, blends):
    for at, blend in enumerate(blends):
        inside, outside = rows[blend["inside"]], rows[blend["outside"]]
        assert blend["kind"] == ("rr", "fr")[at % 2]  # both kinds of every background
        assert blend["label"] == 1
        assert outside["method"] == "real"
        assert (inside["method"] == "real") == (blend["kind"] == "rr")
        assert inside["video_identity"] != outside["video_identity"]
        for name in ("split", "compression"):
            assert blend[name] == inside[name] == outside[name]
        mask = blending_mask(blend["kind"], inside["landmarks"], changed(rows, inside), int(blend["seed"]))
        assert (blend["hull"] != (mask if blend["kind"] == "fr" else 0)).mean() < 0.01
        ring = ndi.binary_dilation(mask, ELLIPSE_7) ^ ndi.binary_erosion(mask, ELLIPSE_7, border_value=1)
        assert (blend["boundary"] != ring).mean() < 0.02
        assert near(blend["image"], blended(inside["image"], outside["image"], mask), 6, 0.01), at


def raw_pair(rows, row):
    """Return the crops that a row's labels are made from: its fake's and its real's, both raw."""
    raw = [other for other in rows if other["face"] == row["face"] and other["compression"] == "raw"]
    fake = next(other for other in raw if other["method"] == row["method"])
    real = next(other for other in raw if other["method"] == "real")
    return fake["image"], real["image"]


def cropped(frame, box):
    """Average a frame under each pixel of the crop, or under one pixel of the frame where that is wider."""
    left, top, right, bottom = (float(edge) for edge in box)
    down = overlaps(top, (bottom - top) / SIDE, frame.shape[0])
    across = overlaps(left, (right - left) / SIDE, frame.shape[1])
    return np.tensordot(np.tensordot(down, frame.astype(float), 1), across, (1, 1)).swapaxes(1, 2)


def overlaps(start, step, length):
    shares = np.zeros((SIDE, length))
    for pixel in range(SIDE):
        middle, width = start + (pixel + 0.5) * step, max(step, 1)
        low, high = middle - width / 2, middle + width / 2
        for taken in range(int(low) - 2, int(high) + 2):
            share = min(high, taken + 1) - max(low, taken)
            shares[pixel, min(max(taken, 0), length - 1)] += max(share, 0) / width
    return shares


def near(found, expected, levels, share):
    """Whether two pictures agree to so many grey levels but for a share of their values."""
    return (np.abs(found.astype(float) - expected) > levels).mean() <= share


def changed(rows, row):
    """Return the pixels in which the raw fake differs from its real, cleaned of outliers."""
    fake, real = (image.astype(int) for image in raw_pair(rows, row))
    opened = ndi.binary_opening(np.abs(fake - real).max(axis=2) > SIGMA["raw"], np.ones((3, 3)))
    parts = regions(ndi.binary_dilation(opened, np.ones((7, 7))), connectivity=2)
    sizes = [(parts == number).sum() for number in range(1, parts.max() + 1)]
    return opened & (parts == 1 + np.argmax(sizes)) if sizes else opened


def convex(mask):
    return convex_hull_image(mask) if mask.any() else mask


def residual(channel, sigma):
    """Return what the Mihcak filter removes of one channel: its coefficients with the noise's share of their power."""
    approximation, details = channel, []
    for _ in range(4):
        approximation, bands = pywt.dwt2(approximation, "db4", "symmetric")
        details.append([noise_of(band, sigma) for band in bands])
    back = np.zeros_like(approximation)
    for bands in details[::-1]:
        height, width = bands[0].shape
        back = pywt.idwt2((back[:height, :width], bands), "db4", "symmetric")
    return back[: channel.shape[0], : channel.shape[1]]


def noise_of(band, sigma):
    means = [ndi.uniform_filter(band**2, side, mode="constant") for side in (3, 5, 7, 9)]
    signal = np.maximum(np.min(means, axis=0) - sigma**2, 0)
    return band * sigma**2 / (signal + sigma**2)


def blending_mask(kind, landmarks, difference, seed):
    """Draw the region that a blend takes from A: the hull of its landmarks, distorted, and changed by kind."""
    hull = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.rint(landmarks).astype(np.int32)), 1)
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    for attempt in range(8):
        rng = np.random.default_rng([seed, attempt])
        shifts = rng.normal(0, rng.uniform(0.01, 0.15), (2, 4, 4)) * SIDE
        places = np.array([y, x]) * 3 / (SIDE - 1)
        shift_x, shift_y = (ndi.map_coordinates(nodes, places, order=1) for nodes in shifts)
        moved = ndi.map_coordinates(hull.astype(float), [y + shift_y, x + shift_x], order=1)
        mask = moved > 0.5
        if kind == "fr":
            mask &= ndi.binary_dilation(difference, np.ones((15, 15)))
        elif rng.random() < 0.5:
            mask = ndi.binary_erosion(mask, np.ones([1 + 2 * rng.integers(11)] * 2), border_value=1)
        else:
            mask = ndi.binary_dilation(mask, np.ones([1 + 2 * rng.integers(3)] * 2))
        if mask.sum() >= 8:
            return mask
    raise AssertionError("no attempt left a mask, so there should be no such blend")


def blended(inside, outside, mask):
    """Paste A into B: A at B's mean colour inside the mask, fading towards the mask's edge."""
    a, b = inside.astype(float), outside.astype(float)
    a = (a + b[mask].mean(axis=0) - a[mask].mean(axis=0)).clip(0, 255)
    distance = ndi.distance_transform_edt(mask)
    rows, columns = np.nonzero(mask)
    width = 0.2 * max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    weight = np.minimum(distance / min(width, distance.max()), 1) if width > 1 else mask
    return b + weight[..., None] * (a - b)
