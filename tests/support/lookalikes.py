"""Tiny copies of every dataset in its exact layout: which files there are, and what is in them.

A layout is a list of `File`; `build` writes them, empty by default or with a writer that fills them. People are
numbered; person k + 1 lends the face for the fakes of person k.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FFPP_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
PAIRS = {"train": [(0, 1), (2, 3)], "val": [(4, 5)], "test": [(6, 7)]}


@dataclass(frozen=True)
class File:
    """One file or folder of frames, and whom it shows."""

    path: str
    role: str  # real, fake, mask or side
    person: int = 0
    donor: int = -1
    compression: str = "c23"
    text: str = ""  # of side files


Writer = Callable[[Path, File], None]


def touch(path: Path, file: File) -> None:
    """Make an empty file, or a folder of one."""
    del file
    if not path.suffix:
        path.mkdir()
        path = path / "001.jpg"
    path.touch()


def build(name: str, root: Path, writer: Writer = touch) -> list[File]:
    """Write the look-alike of a dataset and return its files."""
    files = LAYOUTS[name]()
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.role == "side":
            path.write_text(file.text, encoding="utf-8")
        else:
            writer(path, file)
    return files


def side(path: str, text: str) -> File:
    return File(path, "side", text=text)


def ffpp() -> list[File]:
    files = []
    names = {split: [[f"{a:03}", f"{b:03}"] for a, b in pairs] for split, pairs in PAIRS.items()}
    for split, pairs in names.items():
        files.append(side(f"splits/{split}.json", json.dumps(pairs)))
    orders = [order for pairs in PAIRS.values() for a, b in pairs for order in ((a, b), (b, a))]
    for compression in ("raw", "c23", "c40"):
        for target, donor in orders:
            real = f"original_sequences/youtube/{compression}/videos/{target:03}.mp4"
            files.append(File(real, "real", target, compression=compression))
            for method in FFPP_METHODS:
                fake = f"manipulated_sequences/{method}/{compression}/videos/{target:03}_{donor:03}.mp4"
                files.append(File(fake, "fake", target, donor, compression))
    for method in FFPP_METHODS[:4]:
        for target, donor in orders:
            mask = f"manipulated_sequences/{method}/masks/videos/{target:03}_{donor:03}.mp4"
            files.append(File(mask, "mask", target, donor))
    return files


def dfd() -> list[File]:
    files = []
    folder = "manipulated_sequences/DeepFakeDetection"
    for compression in ("raw", "c23", "c40"):
        for person in range(6):
            actor, donor = f"{person + 1:02}", f"{(person + 1) % 6 + 1:02}"
            for scene in ("kitchen_pan", "outside_talking_still_laughing"):
                real = f"original_sequences/actors/{compression}/videos/{actor}__{scene}.mp4"
                files.append(File(real, "real", person, compression=compression))
                name = f"{actor}_{donor}__{scene}__YR5OVD{person}S"
                fake = f"{folder}/{compression}/videos/{name}.mp4"
                files.append(File(fake, "fake", person, (person + 1) % 6, compression))
                if compression == "raw":
                    files.append(File(f"{folder}/masks/videos/{name}.mp4", "mask", person, (person + 1) % 6))
    return files


def celebdf() -> list[File]:
    files = []
    for person in range(5):
        donor = (person + 1) % 5
        files.append(File(f"Celeb-real/id{person}_0000.mp4", "real", person))
        files.append(File(f"Celeb-synthesis/id{person}_id{donor}_0000.mp4", "fake", person, donor))
    files += [File(f"YouTube-real/{number:05}.mp4", "real", 5 + number) for number in range(3)]
    listed = ["0 Celeb-synthesis/id4_id0_0000.mp4", "0 Celeb-synthesis/id3_id4_0000.mp4"]
    listed += ["1 Celeb-real/id4_0000.mp4", "1 YouTube-real/00002.mp4"]
    return [*files, side("List_of_testing_videos.txt", "\n".join(listed) + "\n")]


def dfdc() -> list[File]:
    files = []
    for person, part in enumerate((0, 1, 35, 40)):
        folder = f"dfdc_train_part_{part}"
        real, fake = f"{'abcd'[person]}real.mp4", f"{'abcd'[person]}fake.mp4"
        rows = {
            fake: {"label": "FAKE", "split": "train", "original": real},
            real: {"label": "REAL", "split": "train", "original": None},
        }
        files.append(side(f"{folder}/metadata.json", json.dumps(rows)))
        files += [File(f"{folder}/{real}", "real", person), File(f"{folder}/{fake}", "fake", person, person + 1)]
    return files


def ffppall() -> list[File]:
    return [file for file in ffpp() + dfd() if file.compression == "c23"]


def deeperforensics() -> list[File]:
    files = []
    for split, pairs in PAIRS.items():
        people = [person for pair in pairs for person in pair]
        names = {person: f"{person:03}_W{(person + 1) % 8:03}" for person in people}
        files.append(side(f"lists/splits/{split}.txt", "".join(f"{name}.mp4\n" for name in names.values())))
        for person, name in names.items():
            files.append(File(f"original_sequences/youtube/c23/videos/{person:03}.mp4", "real", person))
            for variant in ("end_to_end", "end_to_end_level_3"):
                files.append(File(f"manipulated_videos/{variant}/{name}.mp4", "fake", person, (person + 1) % 8))
    return files


def fakeavceleb() -> list[File]:
    files, rows = [], ["source,target1,target2,method,category,type,race,gender,path,"]
    for person in range(8):
        who = f"id{person:05}"
        for kind, method, name in (
            ("RealVideo-RealAudio", "real", "00109.mp4"),
            ("FakeVideo-RealAudio", "faceswap", "00109_1.mp4"),
            ("FakeVideo-FakeAudio", "wav2lip", "00109_1.mp4"),
        ):
            folder = f"{kind}/African/men/{who}"
            rows.append(f"{who},-,-,{method},A,{kind},African,men,{name},FakeAVCeleb/{folder}")
            role = "real" if method == "real" else "fake"
            files.append(File(f"FakeAVCeleb/{folder}/{name}", role, person, (person + 1) % 8))
    return [*files, side("FakeAVCeleb/meta_data.csv", "\n".join(rows) + "\n")]


def celebdfpp() -> list[File]:
    files = [file for file in celebdf() if file.role == "real"]
    listed = ["1 Celeb-real/id4_0000.mp4"]
    for person in range(5):
        donor = (person + 1) % 5
        for method in ("FaceSwap/Celeb-DF", "FaceSwap/BlendFace", "FaceReenact/LIA"):
            name = f"Celeb-synthesis/{method}/id{person}_id{donor}_0000.mp4"
            files.append(File(name, "fake", person, donor))
            listed += [f"0 {name}"] * (person == 4 and method != "FaceSwap/Celeb-DF")
    return [*files, side("List_of_testing_videos.txt", "\n".join(listed) + "\n")]


def df40() -> list[File]:
    """Folders of face crops: fakes made from both real datasets, and a method with real images of its own."""
    files = []
    youtube = "FaceForensics++/original_sequences/youtube/c23/frames"
    for person in range(8):
        donor = (person + 1) % 8
        above = "DF40_train/simswap/frames" if person < 5 else "DF40/simswap/ff/frames"
        files.append(File(f"{youtube}/{person:03}", "real", person))
        files.append(File(f"{above}/{person:03}_{donor:03}", "fake", person, donor))
    for person in range(2):
        files.append(File(f"Celeb-DF-v2/Celeb-real/frames/id{person}_0000", "real", person))
        files.append(File(f"DF40/fomm/cdf/frames/id{person}_id{1 - person}_0000", "fake", person, 1 - person))
        files.append(File(f"DF40/DiT/cdf/YouTube-real/0000{person}", "fake", person, 2))
        files.append(File(f"DF40/stargan/fake/{person}.png", "fake", person, 2))
        files.append(File(f"DF40/stargan/real/{person}.png", "real", person))
    return files


def kodf() -> list[File]:
    """The Korean lists: real videos with their person, fakes with target video, target person, donor and method."""
    files = []
    for split, people in (("training", range(4)), ("validation", range(4, 6))):
        reals, fakes = ["영상ID,UUID,인물성별"], ["영상ID,타겟영상,변조모델,타겟UUID,소스UUID"]
        for person in people:
            donor = person ^ 1
            reals.append(f"real{person}.mp4,person{person},F")
            files.append(File(f"원천데이터/{split}_원본/part{person % 2}/real{person}.mp4", "real", person))
            for method in ("fsgan", "audio-driven"):
                name = f"{method}_{person}_{donor}.mp4"
                fakes.append(f"{name},real{person}.mp4,{method},person{person},person{donor}")
                files.append(File(f"원천데이터/{split}_변조/{method}1/{name}", "fake", person, donor))
        for kind, rows in (("원본", reals), ("변조", fakes)):
            files.append(side(f"라벨링데이터/meta/{kind}영상_{split}_메타데이터.csv", "\n".join(rows) + "\n"))
    return files


def forgerynet() -> list[File]:
    files = []
    for split, short, people in (("Training", "train", range(5)), ("Validation", "val", range(5, 7))):
        lines = []
        for person in people:
            for fake in (0, 1):
                name = f"{short}_video_release/{fake}/{person:08x}/video.mp4"
                lines.append(f"1 {name} 0 30 {fake} {fake} {fake} {7 * fake}")
                role = "fake" if fake else "real"
                files.append(File(f"{split}/video/{name}", role, person, (person + 1) % 7))
        files.append(side(f"{split}/video_list.txt", "\n".join(lines) + "\n"))
    return files


def ffiw() -> list[File]:
    files = []
    for person in range(6):
        split = "val" if person > 3 else "train"
        files.append(File(f"source/{split}/{person:05}.mp4", "real", person))
        files.append(File(f"target/{split}/{person:05}.mp4", "fake", person, (person + 1) % 6))
        files.append(File(f"target_mask/{split}/{person:05}.mp4", "mask", person, (person + 1) % 6))
    return files


def dfdctest() -> list[File]:
    files = []
    for number, part in enumerate(("validation", "test")):
        files.append(side(f"{part}/labels.csv", f"filename,label\nyreal{number}.mp4,0\nzfake{number}.mp4,1\n"))
        files.append(File(f"{part}/yreal{number}.mp4", "real", 2 * number))
        files.append(File(f"{part}/zfake{number}.mp4", "fake", 2 * number + 1, 2 * number))
    return files


def dfdcp() -> list[File]:
    files, rows = [], {}
    for person in range(6):
        target, donor = 643049 + person, 643049 + (person + 1) % 6
        real = f"original_videos/{target}/{target}_A_001.mp4"
        method = "method_A" if person % 2 else "method_B"
        fake = f"{method}/{target}/{target}_A/{donor}_{target}_A_001.mp4"
        split = "test" if person > 3 else "train"
        rows[real] = {"label": "real", "set": split, "augmentations": [], "target_id": None, "swapped_id": None}
        rows[fake] = {"label": "fake", "set": split, "augmentations": [], "target_id": target, "swapped_id": donor}
        files.append(File(f"dfdc_preview_set/{real}", "real", person))
        files.append(File(f"dfdc_preview_set/{fake}", "fake", person, (person + 1) % 6))
    return [*files, side("dfdc_preview_set/dataset.json", json.dumps(rows))]


def uadfv() -> list[File]:
    reals = [File(f"real/{number:04}.mp4", "real", number % 6) for number in range(40)]
    return reals + [File(f"fake/{n:04}_fake.mp4", "fake", n % 6, (n + 1) % 6) for n in range(40)]


def dftimit() -> list[File]:
    files = []
    subjects = ("fadg0", "fram1", "mccs0", "mdab0", "faks0", "fcft0")
    for person, subject in enumerate(subjects):
        donor = person ^ 1
        real = f"VidTIMIT/{subject}/video/sa1" if person < 2 else f"VidTIMIT/{subject}/sa1.avi"
        files.append(File(real, "real", person))
        for quality in ("higher_quality", "lower_quality"):
            stem = f"DeepfakeTIMIT/{quality}/{subject}/sa1-video-{subjects[donor]}"
            files += [File(f"{stem}.avi", "fake", person, donor), side(f"{stem}.wav", "")]
    return files


def wilddeepfake() -> list[File]:
    files = []
    for split, people in (("train", range(4)), ("test", range(4, 6))):
        for person in people:
            number = f"{person}.tar.gz"
            files.append(File(f"deepfake_in_the_wild/real_{split}/{number}", "real", person))
            files.append(File(f"deepfake_in_the_wild/fake_{split}/{number}", "fake", person, (person + 1) % 6))
    return files


def hff() -> list[File]:
    classes = {"CelebA": "real", "CelebA-HQ": "real", "FaceForensics": "real"}
    classes |= dict.fromkeys(("PGGAN", "StyleGAN", "Face2Face", "Glow", "StarGAN"), "fake")
    return [
        File(f"{name}/{number:06}.png", role, number % 6, (number + 1) % 6)
        for name, role in classes.items()
        for number in range(10)
    ]


def pairs() -> list[File]:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["real", "fake", "mask", "method", "split", "compression", "identity"])
    files = []
    for person in range(6):
        split = ("train", "train", "train", "val", "test", "")[person]
        names = [f"real/{person}.mp4", f"swap/{person}.mp4", f"mask/{person}.mp4"]
        rows.writerow([*names, "swap", split, "c23", f"person{person}"])
        files += [
            File(name, role, person, (person + 1) % 6)
            for name, role in zip(names, ("real", "fake", "mask"), strict=True)
        ]
    return [*files, side("pairs.csv", text.getvalue())]


LAYOUTS: dict[str, Callable[[], list[File]]] = {
    "ffpp": ffpp,
    "dfd": dfd,
    "celebdf": celebdf,
    "celebdfv1": celebdf,
    "dfdc": dfdc,
    "dfdctest": dfdctest,
    "ffppall": ffppall,
    "deeperforensics": deeperforensics,
    "fakeavceleb": fakeavceleb,
    "celebdfpp": celebdfpp,
    "ffiw": ffiw,
    "df40": df40,
    "kodf": kodf,
    "forgerynet": forgerynet,
    "dfdcp": dfdcp,
    "uadfv": uadfv,
    "dftimit": dftimit,
    "wilddeepfake": wilddeepfake,
    "hff": hff,
    "pairs": pairs,
}
