"""Crop one group of videos (a real and its fakes, in every compression) to staged rows. Used by `stages` alone.

Without Dask and without a store: frames, tracks and boxes go in, staged crops and columns come out.
"""
