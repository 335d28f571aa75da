"""From rows of stores to batches: reading, row table, sampling, augmentation, online blends, corruptions.

Only `models.data.store_reader` imports tensorstore.
"""
