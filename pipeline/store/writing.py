"""What a disk or a bucket refuses, said in one clear sentence."""

from obstore.exceptions import BaseError

from pipeline.errors import WriteError


class writing:
    """Turn the system's refusals to write into one clear sentence."""

    def __init__(self, location: str) -> None:
        self.location = location.removeprefix("file://")

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | BaseError) and not isinstance(error, WriteError):
            raise WriteError(
                f"{self.location} cannot be written ({sentence(error)}); make room or choose another place, "
                "then run the same command again: it goes on where it stopped."
            ) from error


def sentence(error: BaseException) -> str:
    """Return the part of an error's text that is meant for people."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
