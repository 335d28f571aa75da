"""Store schema: name, dimensions, type and meaning of every array. No I/O."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.labels import LABELS

FORMAT_VERSION = 1
NO_PAIR = -1  # `real` of a row without a pair
UNTOLD = -(2**31)  # `video_mask_first` of a store made before there was such a column
FRAME = ("sample", "y", "x")
WITHHELD = {"ssim": 1, "hull": 2}  # bits of the column `withheld`, by label kind


@dataclass(frozen=True)
class ArraySpec:
    """One array of a group; `dtype` is a NumPy name or `string`."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    description: str
    units: str = "1"
    reference: str = "forgery-prep store format, version 1"
    fill: Any = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    added: bool = False  # since the first stores of this version: they lack it and are sound

    @property
    def sharded(self) -> bool:
        """Whether the array holds one picture per sample, stored one sample a chunk and many a shard."""
        return self.dims[:3] == FRAME


def _codes(name: str, description: str) -> ArraySpec:
    return ArraySpec(name, ("sample",), "uint8", f"{description}; the numbers are explained by flag_meanings", fill=254)


IMAGE = ArraySpec("image", (*FRAME, "channel"), "uint8", "RGB face crop", units="grey level, 0..255")

ROWS = (
    ArraySpec("label", ("sample",), "uint8", "0 = real, 1 = fake", fill=254),
    _codes("method", "How the face was manipulated; 0 = real"),
    _codes("split", "Part of the dataset, that of the row's own video"),
    _codes("compression", "Compression of the row's own video"),
    ArraySpec("video", ("sample",), "int32", "Position along the dimension video", fill=-2),
    ArraySpec(
        "frame",
        ("sample",),
        "int32",
        "Index of the presented frame in the video, from 0; of a followed fake, in its real",
        fill=-2,
    ),
    ArraySpec("face", ("sample",), "int64", "Equal for all rows that show the same face of the same frame", fill=-2),
    ArraySpec(
        "real",
        ("sample",),
        "int64",
        "Row of the paired real of the same compression; own row where method = 0; -1 = no pair",
        fill=-2,
    ),
    ArraySpec(
        "box",
        ("sample", "edge"),
        "float32",
        "Left, top, right, bottom of the enlarged box in the row's own video, half-open",
        units="pixel",
        fill="NaN",
    ),
    ArraySpec("score", ("sample",), "float32", "Detector's confidence in the face", fill="NaN"),
    ArraySpec(
        "alignment",
        ("sample",),
        "float32",
        "Mean SSIM of fake and real frame outside the enlarged box; 1 = real, NaN = no pair",
        fill="NaN",
    ),
    ArraySpec(
        "background",
        ("sample",),
        "float32",
        "Share of the pixels outside the face region (dilated hull of the landmarks) that ssim marks, or would "
        "mark where it is withheld; 0 = real, NaN = no pair",
        fill="NaN",
        added=True,
    ),
    *(
        ArraySpec(
            f"agreement_{kind}",
            ("sample",),
            "float32",
            f"Intersection over union of the {kind} label and the mask; NaN where one is missing",
            fill="NaN",
            added=True,
        )
        for kind in WITHHELD
    ),
    ArraySpec(
        "withheld",
        ("sample",),
        "uint8",
        "Labels that are 255 since they would mark more of the surroundings than the recipe allows",
        added=True,
        attributes={"flag_masks": list(WITHHELD.values()), "flag_meanings": list(WITHHELD)},
    ),
    ArraySpec(
        "landmarks",
        ("sample", "point", "xy"),
        "float32",
        "68 facial landmarks in the crop, found in the least compressed version of the row's video that is kept; "
        "NaN = predictor failed",
        units="pixel",
        reference="iBUG 300-W annotation, dlib's 68-point predictor",
        fill="NaN",
    ),
)

VIDEOS = (
    ArraySpec("video_id", ("video",), "string", "Name of the video, shared by its compressions", fill=""),
    ArraySpec("video_path", ("video",), "string", "Path relative to the dataset's root", fill=""),
    ArraySpec(
        "video_target", ("video",), "string", "Id of the real video it was made from; own id for a real", fill=""
    ),
    ArraySpec("video_donor", ("video",), "string", "Whose face or expression was put in", fill=""),
    ArraySpec("video_identity", ("video",), "string", "Person whose video it is; a fake has its target's", fill=""),
    ArraySpec("video_sha256", ("video",), "string", "SHA-256 of the file, or of a folder's files in order", fill=""),
    ArraySpec("video_mask", ("video",), "string", "Path of its mask video relative to the root; empty = none", fill=""),
    ArraySpec(
        "video_mask_first",
        ("video",),
        "int32",
        "Number, in the names of the mask's images, that is frame 0; 0 for a mask video",
        fill=UNTOLD,
        added=True,
    ),
    ArraySpec(
        "video_turn",
        ("video",),
        "int32",
        "Degrees clockwise by which frames and those of the mask were turned, since as presented they show no face",
        units="degree",
        fill=-2,
        added=True,
    ),
    ArraySpec("video_frames", ("video",), "int32", "Presented frames; of a folder, those up to its last", fill=-2),
    ArraySpec("video_width", ("video",), "int32", "Width of the turned and moved frame", units="pixel", fill=-2),
    ArraySpec("video_height", ("video",), "int32", "Height of the turned and moved frame", units="pixel", fill=-2),
)

SPECIAL = (  # columns of videos that a store has only where one of its videos is such
    ArraySpec(
        "video_mask_inverted", ("video",), "uint8", "1: untouched pixels of its mask are white", fill=254, added=True
    ),
    ArraySpec(
        "video_people",
        ("video",),
        "int32",
        "Most faces that one sampled frame of its real video shows",
        fill=-2,
        added=True,
    ),
    ArraySpec(
        "video_chosen",
        ("video",),
        "string",
        "With several faces in a frame: what decided which of them are manipulated (mask, difference, or size where "
        "nothing could be compared), how many of all are, and the figures",
        fill="",
        added=True,
    ),
    ArraySpec(
        "video_offset",
        ("video",),
        "float64",
        "How a fake's frames are read: its frame i is taken for frame floor(video_rate i + video_offset) of its real, "
        "the index in `frame`; not 0 only where registration = follow found it",
        units="frame",
        fill="NaN",
        added=True,
    ),
    ArraySpec(
        "video_rate",
        ("video",),
        "float64",
        "Frames of the real for each frame of the fake; see video_offset",
        fill="NaN",
        added=True,
    ),
    ArraySpec(
        "video_since",
        ("video",),
        "int32",
        "Frame of the fake from which video_offset holds; those before it are taken for the real's of their own index",
        units="frame",
        fill=-2,
        added=True,
    ),
    ArraySpec(
        "video_transform",
        ("video", "xy", "term"),
        "float64",
        "Affine transform by which a fake's pictures, and those of its mask, are moved into its real's: x and y from "
        "(x, y, 1), as shares of the frames' width and height; the identity where nothing is moved",
        fill="NaN",
        added=True,
    ),
)

THRESHOLD = ArraySpec(  # only in stores whose recipe has it measured
    "video_threshold",
    ("video",),
    "float32",
    "Threshold on 255 (1 - SSIM) with which the ssim labels of its rows were made: that of its least compressed twin "
    "with a pair, chosen from what the two differ by outside the face; NaN = no pair",
    fill="NaN",
)

_BIGARTS = "Chen et al., Watching the BiG artifacts, Pattern Recognition, section 3.3"

BLENDS = (
    ArraySpec(
        "image", (*FRAME, "channel"), "uint8", "RGB blend of two faces", units="grey level, 0..255", reference=_BIGARTS
    ),
    ArraySpec("label", ("sample",), "uint8", "1 = fake: every blend is one", fill=254),
    ArraySpec("kind", ("sample",), "uint8", "Real or fake face (A) in a real frame (B)", reference=_BIGARTS, fill=254),
    _codes("split", "Part of the dataset that both faces belong to"),
    _codes("compression", "Compression of both faces"),
    ArraySpec("inside", ("sample",), "int64", "Row of A, which supplies the inside", fill=-2),
    ArraySpec("outside", ("sample",), "int64", "Row of B, which supplies the surroundings", fill=-2),
    ArraySpec(
        "hull",
        FRAME,
        "uint8",
        "M_in: region that comes from a fake face",
        reference=_BIGARTS,
        fill=254,
        attributes=LABELS["hull"].attributes,
    ),
    ArraySpec(
        "boundary",
        FRAME,
        "uint8",
        "M_ex: ring on the blending boundary",
        reference=_BIGARTS,
        fill=254,
        attributes=LABELS["boundary"].attributes,
    ),
    ArraySpec("seed", ("sample",), "int64", "Seed of the distortion of this blend", fill=-2),
)

REJECTS = (
    ArraySpec("video", ("reject",), "string", "Path relative to the dataset's root", fill=""),
    ArraySpec("frame", ("reject",), "int32", "Index of the frame; -1 = the whole video", fill=-2),
    ArraySpec("stage", ("reject",), "string", "What was being done", fill=""),
    ArraySpec("reason", ("reject",), "string", "Why it cannot be used, in one sentence", fill=""),
    ArraySpec("rows", ("reject",), "int32", "Rows that were asked for and are not in the store", fill=-2),
    ArraySpec("method", ("reject",), "string", "Method of the video", fill=""),
    ArraySpec("compression", ("reject",), "string", "Compression of the video", fill=""),
    ArraySpec("split", ("reject",), "string", "Split of the video", fill=""),
)


def label_spec(kind: str) -> ArraySpec:
    """Return the specification of one label kind's array."""
    about = LABELS[kind]
    return ArraySpec(
        kind, FRAME, about.dtype, about.description, about.units, about.reference, about.fill, about.attributes
    )
