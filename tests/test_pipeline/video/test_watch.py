"""What a file does to the process that reads it is known by the file's name."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from pipeline.errors import DecodeError, SourceError
from pipeline.video import frames, trial, watch

DEADLY = """
import os, signal, sys
from pathlib import Path
from pipeline.video import watch
with watch.watching(Path(sys.argv[1]), {}):
    frames = watch.taking(Path("a.mp4"), iter([(0, 0), (7, 0)]), [0, 7], "pyav")
    next(frames)
    with watch.over(Path("b.mp4")):
        pass
    with watch.over(Path("c.mp4")):
        os.kill(os.getpid(), signal.SIGKILL)
"""
STUCK = """
import ctypes, sys
from pathlib import Path
from pipeline.video import watch
watch.STALL = 0.3
with watch.watching(Path(sys.argv[1]), {}), watch.over(Path("a.mp4")):
    ctypes.PyDLL(None).sleep(300)  # native code that keeps all other threads of Python from running
"""


def ended(program: str, note: Path) -> int:
    return subprocess.run([sys.executable, "-c", program, str(note)], check=False, timeout=120).returncode


def test_a_dead_process_leaves_the_names_of_what_it_had_open(tmp_path):
    note = tmp_path / "note"
    assert ended(DEADLY, note) == -signal.SIGKILL
    assert watch.left_behind(note) == [
        {"path": "a.mp4", "wanted": [0, 7], "decoder": "pyav"},
        {"path": "c.mp4", "wanted": [], "decoder": "auto"},
    ]


def test_a_process_stuck_in_native_code_ends_and_names_the_file(tmp_path):
    note = tmp_path / "note"
    assert ended(STUCK, note) == trial.STUCK
    assert [each["path"] for each in watch.left_behind(note)] == ["a.mp4"]


@pytest.fixture
def timer(monkeypatch):
    """Return a list of what the process's timer was told."""
    told: list[str] = []
    fake = SimpleNamespace(
        dump_traceback_later=lambda *_, **__: told.append("start"),
        cancel_dump_traceback_later=lambda: told.append("stop"),
    )
    monkeypatch.setattr(watch, "faulthandler", fake)
    return told


def picture(path: Path) -> Path:
    Image.new("RGB", (8, 6)).save(path)
    return path


def test_the_time_between_two_frames_is_the_callers(tmp_path, timer):
    path = picture(tmp_path / "1.png")
    with watch.watching(tmp_path / "note", {}):
        for _ in frames.read(path, [0]):
            assert timer[-1] == "stop"
            assert json.loads((tmp_path / "note").read_text())[0]["path"] == str(path)
        assert timer[-1] == "stop"
        assert json.loads((tmp_path / "note").read_text())
    assert not (tmp_path / "note").exists()
    assert timer.count("start") == 3  # opened, the frame, and the end
    before = list(timer)
    frames.probe(path)
    assert timer == before, "without a watch nothing is done"


def test_signs_of_life_start_the_timer_anew_now_and_then(tmp_path, timer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    with watch.watching(None, {}), watch.over(tmp_path):
        for _ in range(100):
            now[0] += 1.0
            watch.alive()
    assert timer.count("start") == 1 + 100 // 11


def test_a_file_that_goes_on_and_on_is_given_up(tmp_path, timer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])

    def slow():
        for place in range(1000):
            now[0] += watch.STALL / 2
            yield place, 0

    with watch.watching(None, {}):
        given = watch.taking(tmp_path / "a.mp4", slow(), list(range(1000)), "auto")
        with pytest.raises(DecodeError, match=r"a\.mp4 took 180 seconds up to frame 2, which is given up"):
            list(given)
        assert len(list(watch.taking(tmp_path, iter(enumerate(range(1000))), list(range(1000)), "auto"))) == 1000


def test_a_refused_file_is_an_error_like_any_other(tmp_path):
    path = picture(tmp_path / "1.png")
    with watch.watching(None, {str(path): "It crashes."}):
        for attempt in (lambda: frames.probe(path), lambda: list(frames.read(path, [0])), lambda: frames.rate(path)):
            with pytest.raises(DecodeError, match="It crashes"):
                attempt()
        assert watch.refusal(path) == "It crashes."
    assert frames.probe(path).frames == 1
    assert watch.refusal(path) == ""


def ending(*steps: str) -> str:
    return "; ".join(["import os, signal, sys", *steps])


SAY = 'os.write(1, b"begun\\nread\\n")'
ENDS = {
    "crash": ending(SAY, "os.kill(os.getpid(), signal.SIGSEGV)"),
    "hang": ending(SAY, f"os._exit({trial.STUCK})"),
    "away": ending('os.write(1, b"begun\\n")', f"os._exit({trial.STUCK})"),
    "memory": ending(SAY, "os.kill(os.getpid(), signal.SIGKILL)"),
    "refused memory": ending(SAY, f"sys.exit({trial.MEMORY})"),
    "no start": ending("sys.exit(1)"),
}


def judged(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    monkeypatch.setattr(trial, "PROGRAM", ENDS[name])
    return trial.judge({"path": "/x/a.mp4", "wanted": [], "decoder": "auto"})


def test_a_trial_tells_the_file_from_the_machine(monkeypatch):
    assert judged(monkeypatch, "crash") == "/x/a.mp4 crashes its decoder (SIGSEGV), tried alone as well."
    assert judged(monkeypatch, "hang").startswith("/x/a.mp4 hangs its decoder: nothing came for 120 seconds")
    assert judged(monkeypatch, "no start") == ""
    with pytest.raises(SourceError, match=r"a\.mp4 does not answer"):
        judged(monkeypatch, "away")
    for name in ("memory", "refused memory"):
        with pytest.raises(MemoryError):
            judged(monkeypatch, name)


def test_a_trial_reads_the_file_itself(tmp_path, monkeypatch):
    path = picture(tmp_path / "1.png")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    assert trial.judge({"path": str(path), "wanted": [0, 5], "decoder": "auto"}) == ""
    seen = (
        "from pipeline.video import frames, trial; frames._frames = lambda *_: os.abort(); import os; trial.attempt()"
    )
    monkeypatch.setattr(trial, "PROGRAM", seen)
    assert "SIGABRT" in trial.judge({"path": str(path), "wanted": [0], "decoder": "auto"})
