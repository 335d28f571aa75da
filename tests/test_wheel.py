"""The wheel by itself: built, unpacked beside the same packages, and used from an empty folder."""

import os
import subprocess
import sys
import zipfile

import pytest
from places import ROOT

RECIPE = """[sampling.real]
train = 2
val = 2
test = 2

[sampling.fake]
train = 2
val = 2
test = 2

[cropping]
size = 64

[labelling]
kinds = ["ssim", "noise"]

[blending]
kinds = []
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the folder into which the wheel was unpacked, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_it_carries_manifests_recipes_and_the_licence(wheel):
    inside, here = wheel / "pipeline" / "manifests", ROOT / "manifests"
    packed = {path.relative_to(inside) for path in inside.rglob("*.toml")}
    assert packed == {path.relative_to(here) for path in here.rglob("*.toml")}
    assert list(wheel.glob("*.dist-info/licenses/LICENSE"))


@pytest.mark.slow
def test_a_new_user_gets_from_nothing_to_a_trained_step(wheel, tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    # worker processes start as this one: the wheel comes first on their path too, wherever they run
    environment = {**os.environ, "PYTHONPATH": str(wheel)}

    def command(module: str, *arguments: str) -> str:
        script = tmp_path / f"{module}.py"
        script.write_text(
            f"import pipeline\nfrom cli.{module} import main\n"
            f"assert pipeline.__file__.startswith({str(wheel)!r}), pipeline.__file__\n"
            "if __name__ == '__main__':\n    main()\n"
        )
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert "Celeb-DF" in command("prep", "datasets")
    command("prep", "sample", "--root", "data/sample", "--people", "6", "--frames", "4")
    command("prep", "run", "--root", "data/sample", "--recipe", "small.toml", "--workers", "2",
            "--store", "stores/small.zarr")  # fmt: skip
    assert "small.zarr" in command("prep", "info", "--store", "stores/small.zarr")
    command("train", "--store", "stores/small.zarr", "--detector", "grnet", "--no-pretrained", "--steps", "2",
            "--batch-size", "4", "--set", "size=64")  # fmt: skip
    assert (tmp_path / "runs" / "grnet" / "last.ckpt").is_file()
