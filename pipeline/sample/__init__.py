"""The embedded sample: a small dataset in FaceForensics++'s layout, of one photograph or of clips or portraits."""

from pipeline.sample.make import Summary, make_sample

__all__ = ["Summary", "make_sample"]
