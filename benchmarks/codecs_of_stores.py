"""Time the codecs of a store against each other on its own crops: `python benchmarks/codecs_of_stores.py STORE`."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import Row, Way, compare

from pipeline import store
from pipeline.config import Chunking
from pipeline.store.schema import FORMAT_VERSION, IMAGE

DEFAULT, RIVALS = "zstd", ("lz4",)
CROPS, BATCH, ONE = 256, 64, 16  # crops written, gathered at once, read one by one


def rows(location: str) -> list[Row]:
    """Write and read the first crops of a store in every codec, on one thread."""
    source = store.array_of(store.open_group(location), IMAGE.name)
    crops = store.gather(source, slice(0, CROPS))
    picked = np.random.default_rng(0).permutation(len(crops))
    with tempfile.TemporaryDirectory() as folder:
        places = {codec: str(Path(folder) / f"{codec}.zarr") for codec in (DEFAULT, *RIVALS)}
        writing = [Way(codec, lambda codec=codec: _write(places[codec], codec, crops)) for codec in places]  # type: ignore[misc]
        found = _compared(f"write {len(crops)} crops", writing, places, crops)
        arrays = {codec: store.array_of(store.open_group(place), IMAGE.name) for codec, place in places.items()}
        batch = [Way(codec, lambda a=a: store.gather(a, picked[:BATCH])) for codec, a in arrays.items()]  # type: ignore[misc]
        found += _compared(f"gather {len(picked[:BATCH])} random crops", batch, places, crops)
        single = [
            Way(codec, lambda a=a: [store.read(a, [row]) for row in picked[:ONE]])  # type: ignore[misc]
            for codec, a in arrays.items()
        ]
        found += _compared(f"read {len(picked[:ONE])} random crops one by one, by zarr", single, places, crops)
    return found


def _compared(task: str, ways: list[Way], places: dict[str, str], crops: np.ndarray) -> list[Row]:
    def checked(rival: Way) -> str:
        sizes = [_bytes(places[name]) / len(crops) / 1000 for name in (DEFAULT, rival.name)]
        read = store.gather(store.array_of(store.open_group(places[rival.name]), IMAGE.name), slice(None))
        same = "equal" if np.array_equal(read, crops) else "DIFFERENT"
        return f"{same} crops; {sizes[0]:.0f} and {sizes[1]:.0f} kB each"

    return compare(task, ways[0], ways[1:], checked)


def _write(place: str, codec: str, crops: np.ndarray) -> None:
    group = store.create(place, {"format_version": FORMAT_VERSION})
    lengths = dict(zip(IMAGE.dims, crops.shape, strict=True))
    array = store.add_array(group, IMAGE, lengths, Chunking(codec=codec))
    for number in range(store.shard_count(array)):
        store.write_shard(array, number, crops[slice(*store.shard_rows(array, number))])


def _bytes(place: str) -> int:
    return sum(file.stat().st_size for file in Path(place, IMAGE.name).rglob("*") if file.is_file())


if __name__ == "__main__":
    rows(sys.argv[1])
