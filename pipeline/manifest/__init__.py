"""Read `manifests/*.toml` and a dataset's folder: list its videos and the sources of each."""

from pipeline.config import SPLITS
from pipeline.manifest.joining import joined
from pipeline.manifest.records import COMPRESSIONS, NATIVE, REAL, Dataset, Video
from pipeline.manifest.schema import known_datasets, load_manifest
from pipeline.manifest.survey import Survey, scan, survey

__all__ = [
    "COMPRESSIONS",
    "NATIVE",
    "REAL",
    "SPLITS",
    "Dataset",
    "Survey",
    "Video",
    "joined",
    "known_datasets",
    "load_manifest",
    "scan",
    "survey",
]
