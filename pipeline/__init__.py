"""Preprocessing: from a dataset's videos to a labelled Zarr store. Imports nothing of `models` or `cli`."""
