"""The embedded sample: a small dataset in FaceForensics++'s layout, made from one photograph or from a user's clips."""

from pipeline.sample.make import Summary, make_sample

__all__ = ["Summary", "make_sample"]
