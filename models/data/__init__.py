"""From rows of stores to batches: reading, row table, sampling, augmentation, online blends, corruptions.

Only `pipeline.store.pictures` imports tensorstore.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.data.dataset import StoreDataset

__all__ = ["StoreDataset"]


def __getattr__(name: str) -> Any:
    """Import `StoreDataset` when it is asked for: commands that need one module of this room start without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from models.data.dataset import StoreDataset

    return StoreDataset
