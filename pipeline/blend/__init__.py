"""BiG-Arts forgery augmentation: choice of the rows to blend, and rendering of the blends.

`plan` decides from the rows' columns alone; `render` makes one blend and its labels. Both are pure, so that a training
loop can blend on the fly what the pipeline would have stored.
"""

from pipeline.blend.composite import parameters, render
from pipeline.blend.matching import KINDS, Blend, Rows, people, plan

__all__ = ["KINDS", "Blend", "Rows", "parameters", "people", "plan", "render"]
