"""One configuration for both libraries; errors of a bucket are sentences."""

import re

import numpy as np
import pytest
from bucket import VARIABLES, faulty
from obstore.exceptions import GenericError
from tinystore import make_store

from models.data.store_reader import open_store
from pipeline import store
from pipeline.errors import AwayError, ConfigError, StoreError
from pipeline.store import cloud, pictures

pytestmark = pytest.mark.slow


def test_both_libraries_are_told_the_same(monkeypatch):
    for name, value in {**VARIABLES, "AWS_ENDPOINT_URL": "http://h:1/", "FORGERY_RETRY_SECONDS": "7"}.items():
        monkeypatch.setenv(name, value)
    one, two = cloud.connect("s3://b/a.zarr"), cloud.for_tensorstore("s3://b/a.zarr", "image")
    assert one.config["endpoint"] == two["endpoint"] == "http://h:1"
    assert one.config["region"] == two["aws_region"] == "us-east-1"
    assert one.retry_config["retry_timeout"].total_seconds() == 7
    assert two["s3_request_retries"]["max_retries"] == cloud.tries(7)
    assert (one.config["bucket"], one.prefix) == ("b", "a.zarr")
    assert (two["bucket"], two["path"]) == ("b", "a.zarr/image/")


def test_an_open_endpoint_needs_leave(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://h:1")
    for call in (cloud.connect, lambda location: cloud.for_tensorstore(location, "")):
        with pytest.raises(ConfigError, match="AWS_ALLOW_HTTP is not set; set AWS_ALLOW_HTTP=true"):
            call("s3://b/a.zarr")


def test_an_endpoint_of_ones_own_needs_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://h")
    for name in cloud.CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="no credentials for https://h: set AWS_ACCESS_KEY_ID"):
        cloud.connect("s3://b/a.zarr")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert cloud.for_tensorstore("s3://b/a.zarr", "")["aws_credentials"] == {"type": "anonymous"}
    cloud.connect("s3://b/a.zarr")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="FORGERY_RETRY_SECONDS is"):
        cloud.settings({"FORGERY_RETRY_SECONDS": text})


@pytest.mark.parametrize("location", ["ftp://b/a.zarr", "s3://b", "s3://b/", "s3:///a.zarr", "file:///a.zarr"])
def test_what_is_no_folder_in_a_bucket_is_refused(location):
    with pytest.raises(ConfigError, match=r"is no place for a store|names no folder in a bucket"):
        cloud.connect(location)


def test_google_and_azure_are_known(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert cloud.for_tensorstore("gs://b/a.zarr", "image")["driver"] == "gcs"
    assert not pictures.reads("az://b/a.zarr"), "its pictures are read through obstore"
    assert cloud.connect("az://b/a.zarr").prefix == "a.zarr"


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("after 9 retries - HTTP error: error sending request", AwayError, r"does not answer \(HTTP error: error"),
        ("GET in 1s - Server returned non-2xx status code: 503 Slow: <x>", AwayError, r"does not answer \(503 Slow\)"),
        ("404: <Code>NoSuchBucket</Code>", StoreError, "bucket of s3://b/a does not exist"),
        ("GET - Server returned non-2xx status code: 416 Range: <x>", StoreError, r"cannot be reached: 416 Range"),
    ],
)
def test_errors_are_told_by_what_to_do(words, kind, sentence):
    told = cloud.told("s3://b/a", GenericError(words))
    assert type(told) is kind
    assert re.search(sentence, str(told))


@pytest.fixture
def stored(s3_env):
    """Return a store that was written to a bucket."""
    return make_store("s3://bucket/folder/made.zarr")


def test_training_reads_the_same_pixels_from_a_bucket(stored, tmp_path):
    rows = np.array([3, 0, 2])
    local, remote = open_store(make_store(tmp_path / "made.zarr")), open_store(stored)
    assert remote.digest == local.digest
    for name in ("image", "ssim"):
        assert (remote.gather(name, rows) == local.gather(name, rows)).all()


def test_a_server_that_answers_badly_is_asked_again(stored, s3, monkeypatch):
    sound = store.read(store.array_of(store.open_group(stored), "image"))
    with faulty(s3, lambda number: "503" if number % 4 == 1 else "cut" if number % 10 == 4 else "") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        array = store.array_of(store.open_group(stored), "image")
        assert not store.missing_shards(array)
        assert (store.read(array) == sound).all()


def test_a_server_that_is_away_is_not_taken_for_damage(stored, s3, monkeypatch, prep):
    monkeypatch.setenv("FORGERY_RETRY_SECONDS", "0.5")
    away = []
    with faulty(s3, lambda _: "away" if away else "") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        reader, array = open_store(stored), store.array_of(store.open_group(stored), "image")
        away.append(True)
        for read in (lambda: reader.gather("image", [0]), lambda: store.read(array, [0]), lambda: open_store(stored)):
            with pytest.raises(AwayError, match=rf"{stored} does not answer .*tried for 0.5 seconds"):
                read()
        said = prep("info", "--store", stored)
    assert said.status == 2
    assert "does not answer" in said.err


def test_a_bucket_that_does_not_exist_is_told(s3_env):
    with pytest.raises(StoreError, match=r"bucket of s3://other/a.zarr does not exist"):
        store.check_writable("s3://other/a.zarr")
