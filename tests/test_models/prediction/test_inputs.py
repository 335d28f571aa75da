"""Files to judge: folders with all folders in them, lists, each once, and what leads nowhere by name."""

import pytest

from models.prediction.inputs import gather
from pipeline.errors import ConfigError


@pytest.fixture
def tree(tmp_path):
    for name in (
        "b/10.mp4",
        "b/2.mp4",
        "a.PNG",
        "b/deep/x.gif",
        "b/deep/y.webp",
        "notes.txt",
        "b/.hidden.mp4",
        "odd.dat",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def paths(found, tree):
    return [each.path.relative_to(tree).as_posix() for each in found]


def test_a_folder_is_searched_with_all_folders_in_it(tree):
    assert paths(gather([tree]), tree) == ["a.PNG", "b/2.mp4", "b/10.mp4", "b/deep/x.gif", "b/deep/y.webp"]


def test_images_of_a_folder_may_be_one_video(tree):
    (tree / "b/deep/z.png").touch()
    assert paths(gather([tree / "b"], sequences=True), tree) == ["b/2.mp4", "b/10.mp4", "b/deep", "b/deep/x.gif"]


def test_a_file_is_taken_whatever_its_ending_and_once(tree):
    (tree / "list.txt").write_text("b/10.mp4\n\nb\n")
    found = gather([tree / "odd.dat", tree / "b/10.mp4"], [tree / "list.txt"])
    assert paths(found, tree) == ["odd.dat", "b/10.mp4", "b/2.mp4", "b/deep/x.gif", "b/deep/y.webp"]


def test_what_leads_nowhere_is_told_by_name(tree):
    gone, empty, archive = gather([tree / "gone.mp4", tree / "empty", tree / "no.tar.gz#3"])
    assert gone.problem == f"{tree / 'gone.mp4'} does not exist."
    assert "holds no video and no image" in empty.problem
    assert archive.problem == f"{tree / 'no.tar.gz'} does not exist."


def test_nothing_to_judge(tree):
    with pytest.raises(ConfigError, match="nothing to judge"):
        gather([])
    with pytest.raises(ConfigError, match=r"list .*gone\.txt cannot be read"):
        gather([], [tree / "gone.txt"])
