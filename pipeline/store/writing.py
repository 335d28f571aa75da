"""Refusals of a disk or a bucket to write, told in one clear sentence."""

from obstore.exceptions import BaseError

from pipeline.errors import ForgeryPrepError
from pipeline.files import refused


class writing:
    """Turn the system's refusals to write into one clear sentence."""

    def __init__(self, location: str) -> None:
        self.location = location.removeprefix("file://")

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | BaseError) and not isinstance(error, ForgeryPrepError):
            raise refused(self.location, error) from error
