"""Every exception the project raises on purpose; a message is one or two plain sentences: what, where, what to do."""


class ForgeryPrepError(Exception):
    """Root of the project's exceptions; commands print it without a traceback and exit 2."""


class ConfigError(ForgeryPrepError, ValueError):
    """A recipe or an option holds a value that makes no sense."""


class ManifestError(ForgeryPrepError, ValueError):
    """A manifest, or the dataset on disk beside it, cannot be understood; lists every problem found."""


class LeakError(ManifestError):
    """An identity, a source video or a pair stands on both sides of a split."""


class RejectError(ForgeryPrepError):
    """One video or frame cannot be used: recorded with its reason in `rejected/`, and the run goes on."""


class DecodeError(RejectError, OSError):
    """A file does not decode, or stops decoding before a wanted frame."""


class SourceError(ForgeryPrepError, OSError):
    """A file of the dataset was there when the run began and cannot be reached now: its folder is away."""


class FaceError(RejectError, LookupError):
    """No face where one is needed."""


class StoreError(ForgeryPrepError, ValueError):
    """A store is missing, incomplete, of another version, or made with other settings."""


class DamageError(StoreError):
    """A stored value cannot be read back as it was written."""


class AwayError(ForgeryPrepError, OSError):
    """An object store does not answer for longer than requests are tried again; nothing is known to be damaged."""


class WriteError(ForgeryPrepError, OSError):
    """The store or its staging folder cannot be written: no space, no permission."""


class WeightsError(ForgeryPrepError, OSError):
    """A backbone's ImageNet weights can neither be downloaded nor found in the local cache."""


class TaskError(ForgeryPrepError, RuntimeError):
    """A worker process died or hung on work that no single video is to blame for."""


class CheckpointError(ForgeryPrepError, ValueError):
    """A checkpoint is missing, damaged, of another version, or holds something else than tensors and JSON."""


class TrainingError(ForgeryPrepError, RuntimeError):
    """Training cannot go on: the loss is no number any more, or not even one row fits into memory."""


class ScoreError(TrainingError):
    """A network gives something else than a number for a face: its weights or statistics have left every range."""


def first_line(error: BaseException) -> str:
    """Return the part of any error's text that is meant for people: its first line, without the full stop.

    >>> first_line(OSError(28, "No space left on device")), first_line(KeyError()), first_line(ValueError("No. 7."))
    ('No space left on device', 'KeyError', 'No. 7')
    """
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0].strip().rstrip(".") if text else type(error).__name__


class NotMeasuredError(ForgeryPrepError, LookupError):
    """Nothing that was judged is what a figure of a paper was measured on; the message says what is lacking."""
