"""Where stores are, on disk or in a bucket, and their small files: asked for, read, written, deleted."""

import shutil
from pathlib import Path
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.errors import AwayError, StoreError, first_line
from pipeline.files import flush
from pipeline.store import cloud
from pipeline.store.bucket import Bucket
from pipeline.store.writing import writing

PROBE = "probe"  # key of an object that is deleted at once


def is_local(location: str) -> bool:
    """Tell a path from a URL such as `s3://bucket/name.zarr`."""
    return "://" not in location


def absolute(location: str) -> str:
    """Return a location that means the same in every working folder."""
    return str(Path(location).absolute()) if is_local(location) else location


def connect(location: str) -> Any:
    """Return zarr's own store object for a path or a URL."""
    if is_local(location):
        return zarr.storage.LocalStore(location)
    return Bucket(cloud.connect(location), location=location)


def exists(location: str) -> bool:
    """Tell whether there is a Zarr group at a location."""
    if is_local(location):
        return (Path(location) / "zarr.json").is_file()
    return bool(sync(connect(location).exists("zarr.json")))


def occupied(location: str) -> bool:
    """Tell whether there is anything at a location, so that making a store would delete somebody's files."""
    if is_local(location):
        path = Path(location)
        return path.is_file() or (path.is_dir() and any(path.iterdir()))

    async def first() -> bool:
        async for _ in connect(location).list():
            return True
        return False

    return bool(sync(first()))


def check_writable(location: str) -> None:
    """Write and delete one small object, so that a run learns at its start that a bucket refuses it.

    Raises
    ------
    WriteError
        The bucket is not there, or not ours to write.
    """
    with writing(location):
        place = connect(location)
        sync(place.set(PROBE, default_buffer_prototype().buffer.from_bytes(b"writable")))
        sync(place.delete(PROBE))


def read_text(location: str, key: str) -> str | None:
    """Return one small file of a store as text, also one that is no valid metadata; None where it is not there."""
    try:
        found = sync(connect(location).get(key, default_buffer_prototype()))
    except AwayError:
        raise
    except OSError as error:
        raise StoreError(f"{location} cannot be read: {first_line(error)}.") from error
    return None if found is None else found.to_bytes().decode("utf-8", errors="replace")


def write_text(location: str, key: str, text: str) -> None:
    """Replace one small file of a store."""
    with writing(location):
        sync(connect(location).set(key, default_buffer_prototype().buffer.from_bytes(text.encode())))
        if is_local(location):
            flush(Path(location) / key)


def delete(location: str) -> None:
    """Delete a store with all its data."""
    with writing(location):
        if is_local(location):
            shutil.rmtree(location)
        else:
            sync(connect(location).clear())


def clean(location: str) -> None:
    """Delete the half-written files that a killed run left in a local store."""
    if is_local(location):
        for file in Path(location).rglob("*.partial"):
            file.unlink(missing_ok=True)
