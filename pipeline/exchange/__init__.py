"""Stores written in other people's formats, and their trees of face crops made into stores."""

from pipeline.exchange.export import FORMATS, export
from pipeline.exchange.selection import Choice

__all__ = ["FORMATS", "Choice", "export"]
