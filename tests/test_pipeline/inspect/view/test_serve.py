"""The viewer as a process."""

import re
import signal
import socket
import urllib.error
import urllib.request

import tinystore


def test_view_serves_this_machine_alone_until_interrupted(start, tmp_path):
    location = tinystore.make_store(tmp_path / "tiny.zarr", size=32, blends=False)
    process = start("view", "--store", location, "--bad", tmp_path / "bad.csv")
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)/[\w-]{20,}/", line)
    assert address, line
    with urllib.request.urlopen(address[0] + "about", timeout=30) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(30) in (0, 130)
    assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_told(prep, tmp_path):
    location = tinystore.make_store(tmp_path / "tiny.zarr", size=32, blends=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = prep("view", "--store", location, "--port", port, "--bad", tmp_path / "bad.csv")
    assert said.status == 2
    assert f"Port {port} cannot be used" in said.err
