"""`forgery-prep run --extend` and `forgery-prep merge`, as far as the command line decides."""


def test_extending_a_store_that_has_everything_does_nothing(prep, tiny, tiny_store):
    said = prep(*tiny.arguments(tiny_store), "--extend", "--dry-run")
    assert said.status == 0
    assert said.out.rstrip().endswith("is complete: nothing would be done.")
    assert prep(*tiny.arguments(tiny_store), "--extend").status == 0


def test_wrong_use_is_one_sentence(prep, tiny, tiny_store, tmp_path):
    said = prep(*tiny.arguments(tiny_store), "--extend", "--overwrite")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "give one of the two" in said.err
    said = prep("merge", tiny_store, tiny_store, "--store", tmp_path / "a.zarr")
    assert said.status == 2
    assert "at least two stores" in said.err
    said = prep("merge", tiny_store, tmp_path / "none.zarr", "--store", tmp_path / "a.zarr")
    assert said.status == 2
    assert "There is no store at" in said.err
