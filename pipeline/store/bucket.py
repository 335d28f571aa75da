"""Zarr's view of a folder in a bucket, whose errors are sentences."""

import asyncio
import time
from builtins import list as listing
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError
from zarr.storage import ObjectStore

from pipeline.store import cloud

T = TypeVar("T")
ROOT = "zarr.json"  # metadata of the root


class Bucket(ObjectStore[Any]):
    """Store of zarr's over a folder in a bucket.

    A server that is away raises AwayError in every method, which is thus never taken for damage.
    """

    def __init__(self, store: Any, *, location: str, read_only: bool = False) -> None:
        super().__init__(store, read_only=read_only)
        self.location = location

    def with_read_only(self, read_only: bool = False) -> "Bucket":
        """Return the same folder for reading alone, or for both."""
        return Bucket(self.store, location=self.location, read_only=read_only)

    def __str__(self) -> str:
        return self.location

    async def _told(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it answers; obstore itself does not ask again where an answer is cut off."""
        limit, pause = time.monotonic() + cloud.settings().retry, cloud.FIRST_PAUSE
        while True:
            try:
                return await call()
            except BaseError as error:
                if not cloud.is_away(error) or time.monotonic() + pause > limit:
                    raise cloud.told(self.location, error) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, cloud.LAST_PAUSE)

    async def _listed(self, found: Callable[[], AsyncIterator[str]]) -> AsyncIterator[str]:
        async def every() -> listing[str]:
            return [key async for key in found()]

        for key in await self._told(every):
            yield key

    async def get(self, *given: Any, **named: Any) -> Any:
        """Return an object's bytes, or some of them; None where it is not there."""
        parent = super().get
        return await self._told(lambda: parent(*given, **named))

    async def get_partial_values(self, *given: Any, **named: Any) -> Any:
        """Return ranges of objects."""
        parent = super().get_partial_values
        return await self._told(lambda: parent(*given, **named))

    async def exists(self, *given: Any, **named: Any) -> bool:
        """Tell whether there is an object."""
        parent = super().exists
        return await self._told(lambda: parent(*given, **named))

    async def set(self, *given: Any, **named: Any) -> None:
        """Write an object."""
        await self._told(lambda: self._put(*given, **named))

    async def _put(self, *given: Any, **named: Any) -> None:
        try:
            await super().set(*given, **named)
        except FileNotFoundError as error:  # writing makes what is not there, but for the bucket
            raise cloud.told(self.location, error) from error

    async def delete(self, *given: Any, **named: Any) -> None:
        """Delete an object."""
        parent = super().delete
        await self._told(lambda: parent(*given, **named))

    async def delete_dir(self, *given: Any, **named: Any) -> None:
        """Delete all objects below a prefix."""
        parent = super().delete_dir
        await self._told(lambda: parent(*given, **named))

    async def clear(self) -> None:
        """Delete all objects, the root's metadata last: what is left by a kill is still known as a store."""
        await self._told(self._clear)

    async def _clear(self) -> None:
        await obstore.delete_async(self.store, [key async for key in self.list() if key != ROOT])
        await super().delete(ROOT)

    async def getsize(self, *given: Any, **named: Any) -> int:
        """Return an object's size in bytes."""
        parent = super().getsize
        return await self._told(lambda: parent(*given, **named))

    def list(self) -> Any:
        """Return the keys of all objects."""
        return self._listed(super().list)

    def list_prefix(self, prefix: str) -> Any:
        """Return the keys of all objects below a prefix."""
        parent = super().list_prefix
        return self._listed(lambda: parent(prefix))

    def list_dir(self, prefix: str) -> Any:
        """Return the names of objects and folders directly below a prefix."""
        parent = super().list_dir
        return self._listed(lambda: parent(prefix))
