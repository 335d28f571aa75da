"""`KEY=VALUE` texts, presets, and the errors they meet."""

import json
from dataclasses import dataclass

import pytest

from models.detectors import DETECTORS, find
from models.detectors.protocol import Data, Preset
from models.detectors.settings import SOURCES, Settings, describe, option, parse, restore
from pipeline.errors import ConfigError

ALL = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


@dataclass(frozen=True, kw_only=True)
class Switched(Settings):
    drops: tuple[int, ...] = option((2,), "where", "ours", low=1)
    sharp: bool = option(True, "an edge", "ours")
    speed: float = option(1.0, "how fast", "paper, I", low=0.0, named={"paper": 1.0, "code": 0.5})


PRESETS = {
    "row": Preset("a row", ("lr=0.5", "augment=off")),
    "data": Preset("another", ("lr=0.5",), Data("ffpp", ("A", "B"), "c23")),
    "look": Preset("a look at what row trains", ("sharp=off",), of="row"),
}


def test_texts_become_values():
    settings = parse(Settings, ["lr=0.01", "batch = 4", "augment=off", "methods=a, b", "compression=c23"])
    assert (settings.lr, settings.batch, settings.augment) == (0.01, 4, "off")
    assert (settings.methods, settings.compression) == (("a", "b"), "c23")
    assert parse(Settings, ["methods=none"]).methods == ()


def test_a_preset_gives_way_wherever_it_stands():
    for pairs in (["preset=row", "lr=0.1"], ["lr=0.1", "preset=row"]):
        settings = parse(Settings, pairs, PRESETS)
        assert (settings.lr, settings.augment) == (0.1, "off")


def test_a_preset_names_its_data_and_itself():
    settings = parse(Switched, ["preset=data", "speed=code"], PRESETS)
    assert (settings.preset, settings.methods, settings.compression) == ("data", ("A", "B"), "c23")
    assert settings.speed == 0.5
    assert parse(Switched, ["preset=data", "methods=none"], PRESETS).methods == ()
    assert restore(Switched, settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("lr", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("pace=3", "no setting is called pace; known are preset, size, batch"),
        ("lr=fast", "lr must be a number, not 'fast'"),
        ("batch=1.5", "batch must be a whole number"),
        ("batch=0", "batch is 0; it must be at least 1"),
        ("lr=nan", "lr is nan; it must be at least 0"),
        ("augment=maybe", "augment is 'maybe'; it must be one of paper, strong, heavy, off"),
        ("sharp=maybe", "sharp must be on or off"),
        ("drops=1,x", r"drops must be a list of whole numbers, not \[1, 'x'\]"),
        ("drops=3,0", "drops is 0; it must be at least 1"),
        ("metric=f1", "metric is 'f1'; it must be one of accuracy, auc"),
        ("preset=other", "no preset other; known are row"),
        ("preset=look", "preset look is an evaluation of what preset row trains.*forgery-eval --preset look"),
        ("speed=slow", "speed must be a number, not 'slow'"),
    ],
)
def test_errors(pair, says):
    with pytest.raises(ConfigError, match=says):
        parse(Switched, [pair], PRESETS)


@ALL
def test_every_table_row_parses_plans_and_comes_back_from_json(detector):
    for name, preset in detector.presets.items():
        base = [f"preset={preset.of or name}"]
        settings = detector.parse(base + list(preset.values if preset.of else ()))
        detector.plan(settings)
        assert detector.restore(json.loads(json.dumps(settings.to_dict()))) == settings
        assert preset.about


@ALL
def test_presets_differ_in_what_they_say(detector):
    abouts = [(preset.about, preset.settings) for preset in detector.presets.values()]
    assert len(set(abouts)) == len(abouts)


@ALL
def test_describe_names_every_key_and_its_default_parses(detector):
    rows = describe(detector.settings)
    pairs = [f"{each.key}={each.default}" for each in rows]
    assert detector.parse(pairs) == detector.settings()


@ALL
def test_every_setting_says_what_it_does_and_where_its_default_comes_from(detector):
    for each in describe(detector.settings):
        assert len(each.about) > 5, each.key
        assert each.source.split(",")[0].split(":")[0] in SOURCES, each
        assert each.takes, each.key


def test_restore_refuses_what_a_field_does_not_take():
    with pytest.raises(ConfigError, match="checkpoint: methods must be a list of names, not 3"):
        restore(Settings, {"methods": 3})
    with pytest.raises(ConfigError, match="a whole number"):
        restore(Settings, {"batch": None})
    with pytest.raises(ConfigError, match=r"batch must be a whole number, not 2\.5"):
        restore(Settings, {"batch": 2.5})


def test_find():
    assert find("wavelet").name == "wavelet"
    with pytest.raises(ConfigError, match="known are wavelet, grnet, locate, anticompression, bigarts"):
        find("xception")


def test_the_table_and_the_folder_agree(request):
    files = (request.config.rootpath / "models" / "detectors").glob("*.py")
    assert {path.stem for path in files if "\nDETECTOR = " in path.read_text(encoding="utf-8")} == set(DETECTORS)
