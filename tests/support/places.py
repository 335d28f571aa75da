"""Folders that tests read from."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]  # of the project
SPLIT_LISTS = ROOT / "tests" / "data" / "splits"  # official ones
REAL_DATA = ROOT.parent / "shared" / "data"  # real clips, pairs and portraits, which the project does not include

needs_real_data = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="no real clips beside the project (../shared/data)")
