"""Tables for people, made from the tables that programs use."""

from pipeline.labels import LABELS

MADE_FROM = {  # LabelKind.source, in words
    "pair": "the fake's and its real's crop",
    "mask": "the dataset's mask",
    "image": "the crop",
    "hull": "the `hull` label",
}


def label_table() -> str:
    """Return the label kinds as a Markdown table."""
    lines = ["| `--kind` | made from | meaning | source |", "|---|---|---|---|"]
    for kind in LABELS.values():
        lines.append(f"| `{kind.name}` | {MADE_FROM[kind.source]} | {kind.description} | {kind.reference} |")
    return "\n".join(lines)
