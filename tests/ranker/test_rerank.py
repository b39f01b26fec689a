"""Re-ranking, on the bundle that ships."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.ranker.fdsm import FdsmModel
from edge_app.ranker.load import load_ranker
from edge_app.ranker.ranker import Ranker
from edge_app.ranker.rerank import Reranking
from tests.ranker.test_conformance import features, made_up


@pytest.mark.parametrize("count", [4, 12])
def test_the_best_five_come_in_the_order_of_fdsm_and_the_rest_stays(count):
    bundle, table = load_bundle(DEFAULT), made_up(count)
    first, second = load_ranker(bundle, "scale"), load_ranker(bundle, "fdsm")
    assert isinstance(second.model, FdsmModel)
    scale = Ranker("scale", first.model, first.calibration, first.background, (), table)
    fdsm = Ranker("fdsm", second.model, second.calibration, second.background, (), table)
    both = scale.adjusted(Reranking(second.model))
    some, exchanged = features()[:4], 0
    for feature, before, after in zip(some, scale.rank(some), both.rank(some), strict=True):
        five = before.order()[:5]
        own = fdsm.energies(feature.vector[None])[0, :count]
        assert after.order()[:5].tolist() == five[np.argsort(own[five], kind="stable")].tolist()
        assert after.order()[5:].tolist() == before.order()[5:].tolist()
        assert sorted(after.energies) == sorted(before.energies)
        np.testing.assert_allclose(sorted(after.scores), sorted(before.scores), rtol=1e-6)
        assert after.known == pytest.approx(before.known)
        exchanged += after.order().tolist() != before.order().tolist()
    assert exchanged, "the two systems never differed, so nothing was tested"
