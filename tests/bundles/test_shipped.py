from pathlib import Path

from edge_app.bundles.shipped import DEFAULT, bundle_folder


def test_a_folder_goes_before_the_bundle_that_ships_under_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bundle_folder("default") == DEFAULT
    (tmp_path / "default").mkdir()
    assert bundle_folder("default") == Path("default")
    assert bundle_folder("no/such") == Path("no/such")
