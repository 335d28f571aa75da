import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from places import ROOT

from pipeline.config import ConfigError, load_recipe
from pipeline.errors import ManifestError
from pipeline.manifest import NATIVE, REAL, SPLITS, known_datasets, load_manifest, scan
from pipeline.manifest.folder import Folder, stem
from pipeline.manifest.paths import Vocabulary, find, match_path, usual_path
from pipeline.manifest.records import Findings
from pipeline.manifest.schema import validate

FFPP_MASK = "manipulated_sequences/Deepfakes/masks/videos/033_097.mp4"
RECIPES = sorted(path.stem for path in (ROOT / "manifests" / "recipes").glob("*.toml"))
NAMES = {
    "ffpp",
    "dfd",
    "celebdf",
    "celebdfv1",
    "dfdc",
    "dfdctest",
    "ffppall",
    "deeperforensics",
    "fakeavceleb",
    "celebdfpp",
    "ffiw",
    "df40",
    "kodf",
    "forgerynet",
    "dfdcp",
    "uadfv",
    "dftimit",
    "wilddeepfake",
    "hff",
    "pairs",
}


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def ffpp(root: Path, pairs: dict[str, list[list[str]]], methods: tuple[str, ...] = ("Deepfakes",)) -> None:
    for split in SPLITS:
        put(root, f"splits/{split}.json")
        (root / "splits" / f"{split}.json").write_text(json.dumps(pairs.get(split, [])))
        for a, b in pairs.get(split, []):
            put(root, *(f"original_sequences/youtube/c23/videos/{name}.mp4" for name in (a, b)))
            for method in methods:
                folder = f"manipulated_sequences/{method}"
                put(root, *(f"{folder}/c23/videos/{name}.mp4" for name in (f"{a}_{b}", f"{b}_{a}")))
                put(root, *(f"{folder}/masks/videos/{name}.mp4" for name in (f"{a}_{b}", f"{b}_{a}")))


def matches(root: Path, pattern: str, **fields: object) -> list[tuple[str, dict[str, str]]]:
    vocabulary = Vocabulary(fields, {"c": {"c0": "raw"}})
    return [(match.path, match.fields) for match in find(Folder(root), pattern, vocabulary, Findings())]


def test_manifests_and_table_agree() -> None:
    assert set(known_datasets()) == NAMES | {"sample"}
    for name in known_datasets():
        assert load_manifest(name)["name"] == name


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_load_over_every_datasets_sampling(recipe: str) -> None:
    for name in known_datasets():
        assert load_recipe(recipe, load_manifest(name).get("sampling"), name).name == recipe


def test_a_recipe_without_sampling_leaves_the_datasets_own() -> None:
    assert load_recipe("wavelet", load_manifest("ffpp")["sampling"]).sampling.fake.train == 100
    assert load_recipe("locate", load_manifest("ffpp")["sampling"], "ffpp").sampling.fake.train == 270
    for recipe in ("grnet", "locate", "anticompression"):
        own = load_recipe("default", load_manifest("dfdc")["sampling"]).sampling
        assert load_recipe(recipe, load_manifest("dfdc")["sampling"], "dfdc").sampling == own
    assert load_recipe("grnet", None, "dfdc").cropping.size == 224
    assert load_recipe("grnet", None, "ffpp").cropping.size == 128


def test_presets_of_one_method_have_a_recipe_with_their_frames() -> None:
    own = load_manifest("ffpp")["sampling"]
    for name in ("wavelet", "locate", "anticompression"):
        single, several = (load_recipe(recipe, own, "ffpp") for recipe in (f"{name}-single", name))
        assert single.sampling.fake.train == single.sampling.real.train == 270
        assert single == replace(several, name=f"{name}-single", sampling=single.sampling)


def test_few_people_differs_from_default_in_its_frames_alone() -> None:
    few, default = load_recipe("few-people"), load_recipe("default", load_manifest("sample")["sampling"])
    more = replace(default.sampling.real, train=few.sampling.real.train)
    assert more.train > default.sampling.real.train
    assert few == replace(default, name="few-people", sampling=replace(default.sampling, real=more))


def test_portraits_differs_from_default_in_its_frames_alone() -> None:
    portraits, default = load_recipe("portraits"), load_recipe("default", load_manifest("sample")["sampling"])
    assert portraits.sampling.real == portraits.sampling.fake
    assert portraits.sampling.real.train < default.sampling.real.train
    assert portraits == replace(default, name="portraits", sampling=portraits.sampling)


def test_wrong_manifest_lists_every_problem(tmp_path: Path) -> None:
    manifest = tomllib.loads((ROOT / "manifests" / "ffpp.toml").read_text())
    del manifest["licence"]
    manifest["surprise"] = 1
    manifest["source"][0]["id"] = "{nobody}"
    manifest["splits"]["rule"] = "by moon"
    problems = " ".join(validate(manifest))
    for word in ("licence", "surprise", "nobody", "by moon"):
        assert word in problems
    path = tmp_path / "mine.toml"
    path.write_text("name = 3")
    with pytest.raises(ManifestError, match="name must be text, not 3"):
        load_manifest(str(path))


def test_unknown_dataset_names_the_known() -> None:
    with pytest.raises(ManifestError, match="celebdf, celebdfpp, celebdfv1"):
        load_manifest("nope")


def test_unknown_recipe_is_refused() -> None:
    with pytest.raises(ConfigError, match="default"):
        load_recipe("nope")


def test_pattern_fields_aliases_case_and_levels(tmp_path: Path) -> None:
    put(
        tmp_path,
        "Films/C0/videos/001.mp4",
        "Films/c23/002.mp4",
        "Films/c23/002.wav",
        "Films/c23/.003.mp4",
        "Films/x/1.mp4",
    )
    found = matches(tmp_path, "films/{c}/videos|/{n}.avi", c=["raw", "c23"], n=r"\d{3}")
    assert found == [
        ("Films/C0/videos/001.mp4", {"c": "raw", "n": "001"}),
        ("Films/c23/002.mp4", {"c": "c23", "n": "002"}),
    ]


def test_pattern_takes_the_first_of_several_levels(tmp_path: Path) -> None:
    put(tmp_path, "a/videos/1.mp4", "a/images/1/1.png", "b/images/2/1.png")
    found = [path for path, _ in matches(tmp_path, "{top}/videos|images/{n}.mp4", n=r"\d")]
    assert found == ["a/videos/1.mp4", "b/images/2"]


def test_frames_beside_their_video_count_once(tmp_path: Path) -> None:
    put(tmp_path, "1.mp4", "1/1.png", "2/1.png")
    assert [path for path, _ in matches(tmp_path, "{n}.mp4", n=r"\d")] == ["1.mp4", "2"]


def test_repeated_fields_must_agree(tmp_path: Path) -> None:
    put(tmp_path, "1/1_a.mp4", "1/2_a.mp4")
    assert [path for path, _ in matches(tmp_path, "{n}/{n}_{x}.mp4")] == ["1/1_a.mp4"]
    assert match_path("1/1_a.mp4", "{n}/{n}_{x}.mp4", Vocabulary()) == {"n": "1", "x": "a"}
    assert match_path("1/2_a.mp4", "{n}/{n}_{x}.mp4", Vocabulary()) is None


def test_usual_path_and_stem() -> None:
    assert usual_path("[top]/a|b/{m}/videos|/{n}.mp4", {"m": "x"}) == "a/x/videos/*.mp4"
    assert (stem("a/b.tar.gz"), stem("a/b.c.mp4"), stem("a/b.c")) == ("b", "b.c", "b.c")


def test_ffpp_pairs_masks_and_order(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["033", "097"]], "test": [["001", "002"]]}, ("FaceSwap", "Deepfakes"))
    data = scan(load_manifest("ffpp"), tmp_path)
    assert data.methods == (REAL, "Deepfakes", "FaceSwap")
    assert [(v.split, v.target, v.method) for v in data.videos[:4]] == [
        ("train", "033", REAL),
        ("train", "033", "Deepfakes"),
        ("train", "033", "FaceSwap"),
        ("train", "097", REAL),
    ]
    fake = data.videos[1]
    assert (fake.id, fake.identity, fake.donor) == ("033_097", "033", "097")
    assert fake.mask == "manipulated_sequences/Deepfakes/masks/videos/033_097.mp4"
    assert data.missing == ()
    assert data == scan(load_manifest("ffpp"), tmp_path)


def test_missing_real_and_missing_mask_are_recorded(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["033", "097"]]})
    (tmp_path / "original_sequences/youtube/c23/videos/033.mp4").unlink()
    (tmp_path / "manipulated_sequences/Deepfakes/masks/videos/097_033.mp4").unlink()
    data = scan(load_manifest("ffpp"), tmp_path)
    assert [(video.id, video.mask) for video in data.videos] == [
        ("033_097", FFPP_MASK),
        ("097", None),
        ("097_033", None),
    ]
    assert (data.videos[0].target, data.videos[0].split, data.videos[0].identity) == ("", "train", "033")
    assert data.missing == (
        ("manipulated_sequences/Deepfakes/c23/videos/033_097.mp4", "its real video 033 is not here"),
        ("manipulated_sequences/Deepfakes/masks/videos/097_033.mp4", "the mask of Deepfakes 097_033"),
    )


def test_a_real_of_another_compression_is_no_pair(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["033", "097"]]})
    old = tmp_path / "original_sequences/youtube/c23"
    old.rename(old.with_name("c40"))
    assert all("here as c40 but not as c23" in reason for _, reason in scan(load_manifest("ffpp"), tmp_path).missing)


def test_duplicates_are_refused(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["033", "097"]]})
    put(tmp_path, "original_sequences/youtube/raw/videos/033.mp4", "original_sequences/youtube/c0/videos/033.mp4")
    with pytest.raises(ManifestError, match=r"c0/videos/033.mp4 and .*raw/videos/033.mp4 both are real 033"):
        scan(load_manifest("ffpp"), tmp_path)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["033", "097"]]})
    (tmp_path / "splits/val.json").unlink()
    (tmp_path / "splits/test.json").write_text("{")
    with pytest.raises(ManifestError) as caught:
        scan(load_manifest("ffpp"), tmp_path)
    assert "splits/val.json is missing. It comes from https://github.com/ondyari" in str(caught.value)
    assert "splits/test.json cannot be read" in str(caught.value)


def test_a_folder_too_high_is_told(tmp_path: Path) -> None:
    ffpp(tmp_path / "FaceForensics++", {"train": [["033", "097"]]})
    with pytest.raises(ManifestError, match=r"give --root .*FaceForensics\+\+"):
        scan(load_manifest("ffpp"), tmp_path)
    with pytest.raises(ManifestError, match="does not exist"):
        scan(load_manifest("ffpp"), tmp_path / "nowhere")


def test_limit_takes_reals_of_each_split_with_all_their_fakes(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [["001", "002"], ["003", "004"]], "val": [["005", "006"]], "test": [["007", "008"]]})
    (tmp_path / "manipulated_sequences/Deepfakes/masks/videos/001_002.mp4").unlink()
    (tmp_path / "manipulated_sequences/Deepfakes/masks/videos/004_003.mp4").unlink()
    data = scan(load_manifest("ffpp"), tmp_path, limit=4)
    assert [video.id for video in data.videos if video.method == REAL] == ["001", "002", "005", "007"]
    assert [video.id for video in data.videos if video.method != REAL] == ["001_002", "002_001", "005_006", "007_008"]
    assert [path for path, _ in data.missing] == ["manipulated_sequences/Deepfakes/masks/videos/001_002.mp4"]


def csv(root: Path, text: str) -> Path:
    path = root / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_defaults_and_shared_reals(tmp_path: Path) -> None:
    put(tmp_path, "r/one.mp4", "f/x.mp4", "f/y.png")
    text = f"\ufeffReal, fake\nr/one.mp4,f/x.mp4\n{tmp_path}/r/one.mp4,./f/y.png\n"
    data = scan(load_manifest("pairs"), csv(tmp_path, text))
    assert data.root == tmp_path
    assert [(v.path, v.method, v.id, v.target, v.identity, v.compression, v.split, v.mask) for v in data.videos] == [
        ("r/one.mp4", REAL, "one", "one", "one", NATIVE, "train", None),
        ("f/x.mp4", "fake", "x", "one", "one", NATIVE, "train", None),
        ("f/y.png", "fake", "y", "one", "one", NATIVE, "train", None),
    ]


def test_pairs_rows_of_one_name_are_compressions_of_one_fake(tmp_path: Path) -> None:
    put(tmp_path, "a23.mp4", "a40.mp4", "f23.mp4", "f40.mp4", "m.mp4")
    text = "real,fake,mask,compression,name,identity\n"
    text += "a23.mp4,f23.mp4,m.mp4,C23,swap,ann\na40.mp4,f40.mp4,m.mp4,c40,swap,\n"
    data = scan(load_manifest("pairs"), csv(tmp_path, text))
    assert [(v.id, v.target, v.compression, v.identity, v.mask) for v in data.videos] == [
        ("a23", "a23", "c23", "ann", None),
        ("a23", "a23", "c40", "ann", None),
        ("swap", "a23", "c23", "ann", "m.mp4"),
        ("swap", "a23", "c40", "ann", "m.mp4"),
    ]


def test_pairs_files_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    put(tmp_path, "a/1.mp4", "b/1.mp4", "x/1.mp4", "y/1.mp4")
    data = scan(load_manifest("pairs"), csv(tmp_path, "real,fake\na/1.mp4,x/1.mp4\nb/1.mp4,y/1.mp4\n"))
    assert {(v.id, v.target, v.path) for v in data.videos if v.method != REAL} == {
        ("x_1", "a_1", "x/1.mp4"),
        ("y_1", "b_1", "y/1.mp4"),
    }


def test_pairs_missing_files_are_recorded(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "x.mp4", "y.mp4")
    text = "real,fake,mask\na.mp4,x.mp4,m.mp4\nb.mp4,y.mp4,\na.mp4,z.mp4,\n,y.mp4,\n"
    with pytest.raises(ManifestError, match="both are fake y"):
        scan(load_manifest("pairs"), csv(tmp_path, text))
    data = scan(load_manifest("pairs"), csv(tmp_path, text.removesuffix(",y.mp4,\n")))
    assert [(video.id, video.target) for video in data.videos] == [("a", "a"), ("x", "a"), ("y", "")]
    assert {path for path, _ in data.missing} == {"m.mp4", "b.mp4", "y.mp4", "z.mp4"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("real,fak\n", "no column fake"),
        ("real,fake,comprssion\n", "no column is called comprssion"),
        ("real,fake\n", "lists no pair"),
        ("real,fake,compression\na,b,c7\n", "line 2: compression c7"),
        ("real,fake,split\na.mp4,a.mp4,holdout\n", "split 'holdout'"),
        ("real,fake,method\na,b,real\n", "cannot be called real"),
        ("real,fake\na,b,c\n", "line 2 has more cells"),
        ("real,fake,compression\na,b,c23\na,c,c40\n", "is c40 here and c23 in an earlier line"),
    ],
)
def test_pairs_refuses_wrong_tables(tmp_path: Path, text: str, sentence: str) -> None:
    put(tmp_path, "a.mp4")
    with pytest.raises(ManifestError, match=sentence):
        scan(load_manifest("pairs"), csv(tmp_path, text))


def test_pairs_reads_a_folder_that_holds_pairs_csv(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "x.mp4")
    (tmp_path / "pairs.csv").write_text("real,fake\na.mp4,x.mp4\n")
    assert scan(load_manifest("pairs"), tmp_path).root == tmp_path


def test_reals_that_several_fakes_share_are_listed_once(tmp_path: Path) -> None:
    rows = [f"ghost/orig.mp4,ghost/{name}.mp4,,ghost" for name in ("elon", "khabenskii", "mark")]
    for real, fake in (("", "deepfakes"), ("", "neuraltextures"), ("_actors", "deepfakedetection")):
        rows.append(f"ex_original{real}.png,ex_{fake}.png,ex_{fake}_mask.png,{fake}")
    put(tmp_path, *{name for row in rows for name in row.split(",")[:3] if name})
    found = scan(load_manifest("pairs"), csv(tmp_path, "\n".join(["real,fake,mask,method", *rows])))
    assert len(found.videos) == 9
    assert found.missing == ()
    assert all((found.root / video.path).is_file() for video in found.videos)
    assert sum(video.mask is not None for video in found.videos) == 3
