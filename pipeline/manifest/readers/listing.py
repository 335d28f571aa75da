"""`videos.csv`: what an export says of the videos in its folder, so that importing it needs no guess."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pipeline.manifest.folder import there
from pipeline.manifest.readers.source import Surroundings, name
from pipeline.manifest.records import COMPRESSIONS, REAL, Entry, Missing

FILE = "videos.csv"
CLASSES = ("real", "fake")


@dataclass(frozen=True)
class Line:
    """One video: a folder of face crops."""

    path: str  # relative to the file's folder
    label: str  # real or fake
    id: str
    method: str
    compression: str
    split: str
    identity: str
    target: str  # id of its real; "" when not known
    donor: str
    mask: str  # path of the folder of its masks; "" without


def write(path: Path, lines: Sequence[Line]) -> None:
    """Write the file, a line for each video, in the order of their paths."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, [each.name for each in fields(Line)])
        table.writeheader()
        table.writerows(asdict(line) for line in sorted(lines, key=lambda line: line.path))


def read(around: Surroundings) -> Iterator[Entry] | None:
    """Return the entries that the folder's own list names; None where it has no list."""
    file = around.folder.root / FILE
    return _entries(file, around) if file.is_file() else None


def _entries(file: Path, around: Surroundings) -> Iterator[Entry]:
    problems = around.findings.problems
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{file} cannot be read: {error}.")
        return
    wanted = [each.name for each in fields(Line)]
    if table and (missing := [column for column in wanted if column not in table[0]]):
        problems.append(f"{file} has no column {', '.join(missing)}.")
        return
    lines = [Line(**{column: values[column] or "" for column in wanted}) for values in table]
    reals = {line.id for line in lines if line.label == REAL}
    for line in lines:
        if line.label not in CLASSES or line.compression not in COMPRESSIONS:
            problems.append(f"{file}: {line.path} is {line.label!r}, {line.compression!r}; it needs a class (real or "
                            f"fake) and a compression ({', '.join(COMPRESSIONS)}).")  # fmt: skip
        elif not there(around.folder.root / line.path):
            around.findings.missing.append(Missing(line.path, f"{FILE} lists it"))
        else:
            yield _entry(line, reals)


def _entry(line: Line, reals: Mapping[str, object] | set[str]) -> Entry:
    fake = line.label != REAL
    return Entry(
        path=line.path,
        role=line.label,
        id=name(line.id),
        method=line.method if fake else REAL,
        compression=line.compression,
        identity=line.identity,
        targets=(line.target,) if fake and line.target in reals else (),
        donor=line.donor,
        split=line.split,
        mask=line.mask or None,
    )
