"""The viewer's HTTP interface."""

import cv2
import numpy as np
import pytest
import stores
import tinystore
from starlette.testclient import TestClient

from pipeline import exclusions, store
from pipeline.config import Chunking
from pipeline.errors import ConfigError, StoreError
from pipeline.inspect.view.app import application
from pipeline.inspect.view.source import open_source
from pipeline.labels import LABELS
from pipeline.store.schema import THRESHOLD

TOKEN = "secret"


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return tinystore.make_store(tmp_path_factory.mktemp("view") / "tiny.zarr", size=32)


@pytest.fixture
def marks_file(tmp_path):
    return tmp_path / "tiny.bad.csv"


@pytest.fixture
def client(location, marks_file):
    return TestClient(application(open_source(location, marks_file), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")


def decoded(answer):
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_the_token_is_needed_and_the_host_is_this_machine(client):
    assert client.get("http://127.0.0.1/about").status_code == 404
    assert client.get("http://127.0.0.1/other/about").status_code == 404
    assert client.get("about").status_code == 200
    assert client.get("about", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("name", ["", "view.css", "view.js", "rows.js", "panes.js"])
def test_the_page_loads_nothing_from_elsewhere(client, name):
    answer = client.get(name)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "//" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")


def test_numbers_of_videos_may_be_missing(tmp_path, marks_file):
    location = tinystore.make_store(tmp_path / "a.zarr", size=32, frames=1)
    group = store.open_group(location, "r+")
    videos = len(store.read_columns(group)["video_id"])
    store.add_array(group, THRESHOLD, {"video": videos}, Chunking())
    store.write_column(group, THRESHOLD.name, np.where(np.arange(videos) % 2, 13.0, np.nan))
    answer = TestClient(application(open_source(location, marks_file), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    assert answer.get("videos").json()[THRESHOLD.name][:2] == [None, 13.0]


def test_columns_arrive_as_they_are_stored(client, location):
    held = store.read_columns(store.open_group(location))
    about = client.get("about").json()
    assert about["rows"] == len(held["label"]) == 108
    assert {"label", "method", "split", "compression", "video", "frame", "face", "real", "score"} <= set(
        about["columns"]
    )
    for name, kind in about["columns"].items():
        sent = np.frombuffer(client.get(f"columns/{name}").content, np.dtype(kind).newbyteorder("<"))
        np.testing.assert_array_equal(sent, held[name])
    assert client.get("videos").json()["video_path"] == held["video_path"].tolist()
    assert client.get("rejects").json()["reason"] == ["no face", "does not decode"]


def test_pictures_are_the_stored_pixels(client, location):
    row = int(np.flatnonzero(store.read_columns(store.open_group(location))["label"] == 1)[0])
    stored = store.read(store.array_of(store.open_group(location), "image"), [row])[0]
    np.testing.assert_array_equal(decoded(client.get(f"pictures/image/{row}"))[..., ::-1], stored)
    small = decoded(client.get(f"pictures/image/{row}?side=16"))
    assert small.shape == (16, 16, 3)
    for kind in LABELS:
        values = stores.pixels(location, kind)[row]
        shown = decoded(client.get(f"pictures/{kind}/{row}"))
        if LABELS[kind].flags:
            np.testing.assert_array_equal(shown[..., 3] > 0, values == 1)
        else:
            assert shown.shape == values.shape


def test_unknown_pixels_have_their_own_colour(location, marks_file, tmp_path):
    changed = stores.copy(location, tmp_path / "a.zarr")
    array = store.array_of(store.open_group(changed, "r+"), "mask")
    low, high = store.shard_rows(array, 0)
    store.write_shard(array, 0, np.full((high - low, 32, 32), 255, np.uint8))
    client = TestClient(application(open_source(changed, marks_file), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    shown = decoded(client.get("pictures/mask/0"))
    assert tuple(shown[0, 0]) == (0xFF, 0x74, 0x4F, 255)  # BGRA of UNKNOWN


@pytest.mark.parametrize(
    "path",
    ["columns/nothing", "columns/box", "pictures/nothing/0", "pictures/image/108", "rows/5000", "pictures/image/x"],
)
def test_what_is_not_there_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_a_damaged_crop_is_told_and_no_picture(location, marks_file, tmp_path):
    broken = stores.copy(location, tmp_path / "a.zarr")
    stores.flip(stores.shard(broken, "image", 0))
    client = TestClient(application(open_source(broken, marks_file), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    answers = [client.get(f"pictures/image/{row}") for row in range(8)]
    (bad,) = [answer for answer in answers if answer.status_code != 200]
    assert bad.status_code == 500
    assert "cannot be read back" in bad.json()["error"]


def test_a_row_has_its_box_and_landmarks(client):
    about = client.get("rows/3").json()
    assert about["box"] == [0, 0, 32, 32]
    assert np.shape(about["landmarks"]) == (68, 2)


def test_marks_are_in_the_file_at_once_and_come_back(client, location, marks_file):
    exclusions.write(marks_file, [exclusions.Exclusion("elsewhere.mp4", 3, note="kept")])
    client = TestClient(application(open_source(location, marks_file), TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    assert client.put("marks/5", json={"note": "two\n people"}).json() == {"5": "two people"}
    client.put("marks/17")
    kept, five, seventeen = exclusions.read(marks_file)
    assert (kept.video, kept.note) == ("elsewhere.mp4", "kept")
    assert (five.note, five.about["row"], five.dataset) == ("two people", "5", "tiny")
    held = store.read_columns(store.open_group(location))
    assert exclusions.rows_of(held, "tiny", [five, seventeen]) == {5: 0, 17: 1}
    again = open_source(location, marks_file)
    assert again.marks == {5: "two people", 17: ""}
    assert client.delete("marks/5").json() == {"17": ""}
    assert [line.about["row"] for line in exclusions.read(marks_file)] == ["", "17"]
    assert client.put("marks/108").status_code == 404


def test_a_mark_that_cannot_be_written_is_told(location, tmp_path):
    (tmp_path / "file").touch()
    source = open_source(location, tmp_path / "file" / "bad.csv")
    client = TestClient(application(source, TOKEN), base_url=f"http://127.0.0.1/{TOKEN}/")
    answer = client.put("marks/5")
    assert answer.status_code == 500
    assert "cannot be written" in answer.json()["error"]
    assert client.get("marks").json() == {}


def test_what_cannot_be_looked_at(location, tmp_path):
    with pytest.raises(StoreError, match="There is no store"):
        open_source(str(tmp_path / "none.zarr"), tmp_path / "bad.csv")
    half = stores.copy(location, tmp_path / "half.zarr")
    store.open_group(half, "r+").attrs["complete"] = False
    with pytest.raises(StoreError, match="unfinished"):
        open_source(half, tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("nonsense\n")
    with pytest.raises(ConfigError, match="no column video"):
        open_source(location, tmp_path / "bad.csv")
