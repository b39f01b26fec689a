from pathlib import Path

import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT, SHIPPED, bundle_folder
from edge_app.encoder import load_encoder
from edge_app.recognizer import self_test


def test_a_folder_goes_before_the_bundle_that_ships_under_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bundle_folder("default") == DEFAULT
    (tmp_path / "default").mkdir()
    assert bundle_folder("default") == Path("default")
    assert bundle_folder("no/such") == Path("no/such")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_ranker_of_a_bundle_that_ships_passes_its_self_test(name):
    bundle = load_bundle(bundle_folder(name))
    assert bundle.manifest["name"] == name
    for ranker in bundle.manifest["rankers"]:
        self_test(bundle, load_encoder(bundle), ranker)


def test_bundles_that_ship_are_small():
    sizes = {name: sum(file.stat().st_size for file in bundle_folder(name).iterdir()) for name in SHIPPED}
    assert sizes["default"] < 25e6 and sum(sizes.values()) < 40e6
