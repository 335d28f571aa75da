"""Frames of a video in words, so that a store's can stand beside a paper's."""

from pipeline.config import SPLITS, Sampling

WAYS = {"even": "evenly spaced", "random": "at random"}


def said(sampling: Sampling, split: str) -> str:
    """Say which frames of the videos of a split are taken.

    Parameters
    ----------
    sampling : Sampling
    split : str
        `all` for every split.

    Examples
    --------
    >>> said(Sampling("stride", 10), "test")
    'every 10th frame'
    """
    if sampling.method == "all":
        return "every frame"
    if sampling.method == "stride":
        return "every frame" if sampling.stride == 1 else f"every {_ordinal(sampling.stride)} frame"
    splits = (split,) if split in SPLITS else SPLITS
    real, fake = ("/".join(str(sampling.count(kind, each)) for each in splits) for kind in (True, False))
    return f"{real} frames of a real and {fake} of a fake, {WAYS[sampling.method]}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def different(here: Sampling, paper: Sampling | None, split: str) -> str:
    """Say how a store's frames differ from a paper's; empty where they do not, or the paper does not say."""
    if paper is None or said(here, split) == said(paper, split):
        return ""
    return f"{said(here, split)}; in the paper {said(paper, split)}"
