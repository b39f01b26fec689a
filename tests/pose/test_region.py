"""Regions: their geometry, and how they are cut out of a picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge_app.pose.region import Region, region_of


@pytest.mark.parametrize("turned", [0.0, 0.5, -0.5, math.pi / 2, 3.1])
def test_a_region_has_the_rim_point_straight_up(turned):
    middle = np.array([100.0, 200.0])
    rim = middle + 40 * np.array([math.sin(turned), -math.cos(turned)])
    region = region_of(middle, rim)
    assert (region.x, region.y) == (100, 200)
    assert region.size == pytest.approx(2 * 1.25 * 40)
    assert region.angle == pytest.approx(turned)
    assert np.allclose(region.to_picture(np.array([0.5, 0.5])), middle)
    assert np.allclose(region.to_picture(np.array([0.5, 0.1])), rim)  # 40 of 100 pixels above the middle


def test_what_is_cut_out_is_where_to_picture_says():
    """A dot is found again, through a turn, a scale and a shift."""
    image = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(image, (250, 120), 4, (255, 255, 255), -1)
    region = Region(220, 150, 160, 0.7)
    crop = region.cut(image, 256, cv2.BORDER_CONSTANT)[..., 0].astype(float)
    rows, columns = np.mgrid[:256, :256]
    dot = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    assert np.allclose(region.to_picture(dot / 256), (250, 120), atol=0.1)


def test_outside_the_picture_is_what_the_border_says():
    image = np.full((50, 50, 3), 200, np.uint8)
    region = Region(0, 0, 100, 0)
    assert region.cut(image, 64, cv2.BORDER_CONSTANT)[0, 0].tolist() == [0, 0, 0]
    assert region.cut(image, 64, cv2.BORDER_REPLICATE)[0, 0].tolist() == [200, 200, 200]


def test_places_are_rounded_to_a_32nd_of_a_pixel():
    """A ramp, 32 grey levels a pixel, shows every place that is sampled."""
    ramp = np.tile(np.arange(8, dtype=np.uint8) * 32, (8, 1))[..., None].repeat(3, axis=2)
    crop = Region(3.01, 4, 1, 0).cut(ramp, 256, cv2.BORDER_REPLICATE)[0, :, 0].astype(int)
    places = 3.01 - 0.5 + np.arange(256) / 256
    assert np.array_equal(crop, np.rint(places * 32))


def test_overlap_is_that_of_upright_squares():
    assert Region(0, 0, 2, 0).overlap(Region(0, 0, 2, 1)) == 1
    assert Region(0, 0, 2, 0).overlap(Region(1, 0, 2, 0)) == pytest.approx(1 / 3)
    assert Region(0, 0, 2, 0).overlap(Region(3, 0, 2, 0)) == 0
    assert Region(0, 0, 2, 0).apart(Region(3, 4, 10, 0)) == 0.5
