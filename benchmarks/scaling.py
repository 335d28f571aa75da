"""What large datasets would cost, from unit costs; prints the table of docs/scaling.md."""

from dataclasses import dataclass

import timing

# processor time in milliseconds, of one core; docs/scaling.md says where each is from
DECODE, DETECT = 2.46, 30.9  # a frame of 720p
CROP, LANDMARKS, WRITE, CHECK = 5.7, 2.0, 2.5, 1.1  # a row
LABELS = 2.5 + 5.7 + 0.35 + 0.08 + 0.09  # a row: ssim, noise, hull, boundary, mask
KILOBYTES = 122.0 + 60.9 + 1.5  # a row: crop, noise, all else
ARRAYS, SHARD = 6, 128  # pictures a row has, rows of a shard
COLUMNS, CHUNK = 17, 65_536  # columns of rows, rows of a chunk


@dataclass(frozen=True)
class Case:
    """A dataset."""

    name: str
    reals: int
    fakes: int
    levels: int  # compressions of each
    frames: int  # of a file
    sampled: int  # of them
    pixels: float  # of a frame, in those of 720p


CASES = (
    Case("FaceForensics++, 5 methods, raw, c23, c40, 100 frames a file", 1_000, 5_000, 3, 500, 100, 1.0),
    Case("DFDC, training parts, 32 frames a file", 19_154, 100_000, 1, 300, 32, 2.25),
    Case("ten million videos, four fakes a real, 32 frames a file", 2_000_000, 8_000_000, 1, 300, 32, 1.0),
)


def line(case: Case) -> str:
    """Return a row of the table."""
    files = (case.reals + case.fakes) * case.levels
    rows = files * case.sampled
    hours = {
        "decoding": files * case.frames * DECODE * case.pixels,
        "finding faces": case.reals * case.sampled * DETECT * case.pixels,
        "cropping and writing": rows * (CROP + WRITE + CHECK) + rows / case.levels * LANDMARKS,
        "labels": rows * (LABELS + CHECK),
    }
    total = sum(hours.values()) / 3.6e6
    most = max(hours, key=lambda name: hours[name])
    size = rows * KILOBYTES / 1e6  # GB
    stored = ARRAYS * -(-rows // SHARD) + COLUMNS * -(-rows // CHUNK)
    share = hours[most] / 3.6e6 / total
    cells = (case.name, f"{files:,}", f"{rows:,}", f"{size / 1000:,.1f} TB", f"{stored:,}", f"{total:,.0f}")
    return f"| {' | '.join(cells)} | {most}, {share:.0%} |"


def main() -> None:
    """Print the table."""
    timing.say("| dataset | videos | rows | store | its files | core-hours | most of it |\n" + "|---" * 7 + "|")
    for case in CASES:
        timing.say(line(case))


if __name__ == "__main__":
    main()
