"""A diagnosis, and the list of known datasets, as plain text."""

from collections.abc import Iterable

from pipeline.config import SPLITS
from pipeline.doctor.diagnosis import Count, Diagnosis
from pipeline.doctor.estimate import Estimate
from pipeline.doctor.relations import table
from pipeline.manifest import known_datasets, load_manifest


def report(found: Diagnosis) -> str:
    """Return a diagnosis as lines of text."""
    lines = [
        f"{found.dataset} in {found.root}: {found.videos} videos, {found.reals} real and {found.fakes} fake, "
        f"{found.paired} fakes paired and {found.unpaired} not."
    ]
    lines += ["", *_table(found.counts)]
    lines += ["", *table(found.relations)] if found.relations else []
    if found.notes:
        lines += ["", "Worth knowing:", *(f"  {note}" for note in found.notes)]
    lines += ["", *_estimate(found.estimate)] if found.estimate else []
    lines += ["", "Findings:" if found.findings else "No findings: this copy is complete."]
    return "\n".join(lines + [f"  {finding}" for finding in found.findings])


def known() -> str:
    """Return what is known of every dataset: the tree it is expected in, size, licence page, citation."""
    blocks = []
    for name in known_datasets():
        manifest = load_manifest(name)
        tree = [source["path"] for source in manifest["source"] if "path" in source]
        files = manifest["splits"].get("files", {}).values() or [manifest["splits"].get("file")]
        tree += [path for path in files if path]
        blocks.append(
            "\n".join(
                [
                    f"{name}: {manifest['title']}",
                    *(f"    {path}" for path in tree),
                    f"  size      {manifest.get('size', 'not known')}",
                    f"  licence   {manifest['licence']}",
                    f"  citation  {manifest['citation']}",
                    f"  splits    {_splits(manifest['splits'])}",
                    *([f"  note      {manifest['hint']}"] if "hint" in manifest else []),
                ]
            )
        )
    legend = "{field}: part of a name    a|b: either name    a|: may be missing    [a]: may be put in"
    return "\n\n".join([*blocks, legend])


def _splits(rules: dict[str, str]) -> str:
    return rules["rule"] + (f", from {rules['from']}" if "from" in rules else "")


def _table(counts: Iterable[Count]) -> list[str]:
    """Lay counts out: one line for each method and compression, found of expected."""
    columns = ("all", *SPLITS, "")
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for count in counts:
        text = f"{count.found}" if count.expected is None else f"{count.found} of {count.expected}"
        rows.setdefault((count.method, count.compression), {})[count.split] = text
    lines = [f"{'method':<20}{'compression':<13}" + "".join(f"{name or 'no split':>14}" for name in columns)]
    for (method, compression), row in rows.items():
        lines.append(f"{method:<20}{compression:<13}" + "".join(f"{row.get(name, '-'):>14}" for name in columns))
    return lines


def _estimate(about: Estimate) -> list[str]:
    return [
        f"A run with recipe {about.recipe} and {about.workers} workers: about {about.samples} samples, "
        f"{_size(about.bytes)}, {_time(about.seconds)} on this machine",
        f"  ({about.basis});",
        f"  while it runs about {_size(about.staged)} more beside the store, for staged crops.",
    ]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
