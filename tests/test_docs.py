"""Pages: every command in them runs, tables are those of the code, and the site is built without a broken link."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import footage
import lookalikes
import numpy as np
import pytest
import skimage.data
from label_table import label_table
from settings_table import settings_table
from tinystore import make_store

import cli.evaluate
import cli.predict
import cli.prep
import cli.train
from pipeline.config import RECIPES
from pipeline.video.encode import write_video

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "forgery-prep": cli.prep.main,
    "forgery-train": cli.train.main,
    "forgery-eval": cli.evaluate.main,
    "forgery-predict": cli.predict.main,
}
# what makes a command of a page small enough for a test
SMALL = {
    "forgery-train": shlex.split("--steps 2 --no-pretrained --batch-size 4 --set size=64 --val-frames 1"),
    "forgery-eval": ["--frames", "1"],
    "forgery-predict": shlex.split("--frames 2 --workers 1"),
}


def blocks(page, language):
    return [text for found, text in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands(page):
    return [line for text in blocks(page, "sh") for line in text.replace("\\\n", " ").splitlines() if line.strip()]


WITH_COMMANDS = [page for page in PAGES if commands(page)]


@pytest.fixture
def workspace(request, tmp_path, tiny, tiny_store, monkeypatch):
    """Return a folder in which the commands of a page find what they name, but for what the page itself makes."""
    text = "\n".join(commands(request.getfixturevalue("page")))
    (tmp_path / "data").mkdir()
    if "--root data/small --people" not in text:
        (tmp_path / "data/small").symlink_to(tiny.root)
        shutil.copytree(tiny_store, tmp_path / "stores/small.zarr")
    for name in ("ffpp", "celebdf"):
        if not re.search(rf"forgery-prep run .*--store stores/{name}.zarr", text):
            make_store(tmp_path / "stores" / f"{name}.zarr", frames=2)
    lookalikes.build("celebdf", tmp_path / "data/celebdf", footage.fill)
    for file in lookalikes.ffpp():
        if file.compression == "c23":
            place = tmp_path / "FF++" / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text) if file.role == "side" else footage.fill(place, file)
    for number in range(2):
        for folder in ("clips", "portraits"):
            (tmp_path / folder).mkdir(exist_ok=True)
        faces = (footage.frame("real", number, moment) for moment in range(17))
        write_video(tmp_path / f"clips/{number:03}.mp4", faces, fps=25, crf=18)
        cv2.imwrite(str(tmp_path / f"portraits/{number}.png"), skimage.data.astronaut()[..., ::-1])
    rows = ["real,fake,mask", "clip.mp4,fake.mp4,mask.mp4"]
    (tmp_path / "files.txt").write_text("clips/000.mp4\nclips/001.mp4\n")
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    shutil.copy(tiny.root / "manipulated_sequences/Warp/c23/videos/000_001.mp4", tmp_path / "fake.mp4")
    shutil.copy(tiny.root / "manipulated_sequences/Warp/masks/videos/000_001.mp4", tmp_path / "mask.mp4")
    shutil.copy(tiny.root / "original_sequences/youtube/c23/videos/000.mp4", tmp_path / "clip.mp4")
    cv2.imwrite(str(tmp_path / "photograph.png"), skimage.data.astronaut()[..., ::-1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_every_command_of_a_page_runs(page, workspace, tiny, scheduler, monkeypatch, capsys):
    for line in commands(page):
        words = shlex.split(line.replace("/data/FF++", str(workspace / "FF++")), comments=True)
        if words[0] == "make":
            subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        elif words[0] != "source" and words[:2] != ["forgery-prep", "view"]:  # a page that stays open has its own tests
            more = list(SMALL.get(words[0], ()))
            if words[1] in ("run", "labels", "blend", "import"):
                more = ["--recipe", str(tiny.recipe_file)] * ("--recipe" not in words)
                more += ["--scheduler", scheduler] * ("--workers" not in words)
            monkeypatch.setattr(sys, "argv", [*words, *more])
            with pytest.raises(SystemExit) as left:
                PROGRAMS[words[0]]()
            said = capsys.readouterr()
            partial = words[:2] == ["forgery-prep", "doctor"]  # 1: the copy is not complete
            assert (left.value.code or 0) in (0, int(partial)), f"{line}\n{said.out}\n{said.err}"
    for text in blocks(page, "python"):
        subprocess.run([sys.executable, "-c", text], check=True)


def test_tables_are_those_of_the_code():
    for page, name, table in (("labels", "labels", label_table()), ("recipes", "settings", settings_table())):
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        assert text.split("keeps the two alike -->")[1].split(f"<!-- /{name} -->")[0].strip() == table


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.toml"))])
def test_every_recipe_is_named(name):
    assert f"`{name}`" in (ROOT / "docs/recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [one.name or one.callback.__name__ for one in cli.prep.app.registered_commands])
def test_every_command_is_named(name):
    assert f"forgery-prep {name}" in (ROOT / "docs/commands.md").read_text(encoding="utf-8")


def test_the_site_is_built_without_a_broken_link(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in PAGES:
        assert (tmp_path / "site" / f"{page.stem}.html").is_file()


def test_the_notebook_runs_from_top_to_bottom(tiny_store, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name in ("stores", "docs"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    (tmp_path / "stores/sample.zarr").symlink_to(tiny_store)
    cells = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = {}
    for text in code:
        exec(compile(text, "tour.ipynb", "exec"), found)
    assert len(found["losses"]) > 1
    assert np.isfinite(found["losses"]).all()
    assert 0 <= found["model"].score(*found["strength"]("test")) <= 1


def test_the_notebook_is_one():
    notebook = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], {cell["cell_type"] for cell in notebook["cells"]}) == (4, {"markdown", "code"})
    assert not any(cell.get("outputs") for cell in notebook["cells"])
