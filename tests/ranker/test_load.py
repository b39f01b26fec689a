"""Heads as a bundle keeps them."""

import numpy as np
import pytest

from edge_app.bundles.files import load_npz
from edge_app.ranker.load import unpacked
from export.bundle import write_head


@pytest.mark.parametrize(("integers", "off"), [(False, 1e-3), (True, 1 / 127)])
def test_a_head_comes_back_as_it_was_but_for_rounding(tmp_path, integers, off):
    rng = np.random.default_rng(0)
    weights = {"large": rng.normal(size=(100, 120)), "bias": rng.normal(size=120), "count": np.array(3)}
    weights = {name: value.astype(np.float32) if value.ndim else value for name, value in weights.items()}
    weights["large"][7] = 0
    write_head(tmp_path / "head.npz", weights, integers)
    found = unpacked(load_npz(tmp_path / "head.npz"))
    assert found.keys() == weights.keys() and found["count"] == 3
    assert np.abs(found["large"] - weights["large"]).max() <= off * np.abs(weights["large"]).max() / 2
    np.testing.assert_allclose(found["bias"], weights["bias"], atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 500), (100,), (), (99, 1)])
def test_a_step_that_fits_no_matrix_is_refused(shape):
    large = np.ones((100, 120), np.int8)
    with pytest.raises(ValueError, match="fits no matrix"):
        unpacked({"large": large, "large.step": np.ones(shape, np.float32)})
    with pytest.raises(ValueError, match="fits no matrix"):
        unpacked({"other.step": np.ones((100, 1), np.float32)})
