"""BiG-Arts forgery augmentation: which rows to blend, and the blends themselves.

`plan` decides from the rows' columns alone; `render` makes one blend and its labels. Both are pure, so that a training
loop can blend on the fly what the pipeline would have stored.
"""

from pipeline.blend.composite import parameters, render
from pipeline.blend.matching import KINDS, Blend, Rows, plan, unplanned

__all__ = ["KINDS", "Blend", "Rows", "parameters", "plan", "render", "unplanned"]
