"""Versions of the software that decides a store's bytes."""

import importlib.metadata
import platform

PACKAGES = (
    "forgery-prep", "av", "dask", "decord", "dlib-bin", "facenet-pytorch", "numpy", "opencv-python-headless",
    "pywavelets", "scikit-image", "scipy", "torch", "zarr",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the version of Python and of each package, where it is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # decord has no wheels on some platforms
    return found
