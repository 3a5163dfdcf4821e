"""The crop against the paper's words, and what is seen through it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
from drawn_faces import draw, find_colour, place
from hypothesis import given
from hypothesis import strategies as st
from oracles.celebahq_plain import crop_of
from PIL import Image

from growgan.data.faces.crop import crop_face, glance
from growgan.data.faces.geometry import Crop, find_crop
from growgan.data.faces.padding import blur, continue_beyond_edges
from growgan.data.pictures import Rejected

coordinates = st.lists(st.floats(0, 2000, width=32), min_size=10, max_size=10)


@given(coordinates)
def test_the_crop_is_the_papers(numbers: list[float]) -> None:
    landmarks = np.array(numbers, np.float32).reshape(5, 2)
    centre, side, edge = crop_of(landmarks)
    if side < 1:
        return
    found = find_crop(landmarks)
    c, s = complex(*found.centre.tolist()), found.side
    assert abs(c - centre) < 1e-3 and s == pytest.approx(side, rel=1e-5)
    upper_left, lower_left, lower_right, upper_right = (complex(*corner) for corner in found.quad.tolist())
    eyes = landmarks[1] - landmarks[0]
    down = landmarks[3:].mean(0) - landmarks[:2].mean(0)
    if math.hypot(*(eyes - [-down[1], down[0]])) > 1:
        assert abs((upper_right - upper_left) / s - edge) < 1e-2
    assert abs(lower_left - upper_left - 1j * (upper_right - upper_left)) < 1e-2
    assert abs((upper_left + lower_right) / 2 - c) < 1e-2


def test_a_frontal_face_in_numbers() -> None:
    crop = find_crop(place(99.5, 99.5, 20))
    # Eyes 40 apart at y 80, mouth at y 120: s = max(4 * 40, 3.6 * 40), c = 80 + 0.1 * 40.
    assert crop.centre.tolist() == [100, 84] and crop.side == 160 and crop.angle == 0
    assert crop.quad.tolist() == [[20, 4], [20, 164], [180, 164], [180, 4]]
    assert crop.find_share_inside(200, 200) == 1
    assert crop.find_share_inside(100, 84) == pytest.approx(1 / 4)


@pytest.mark.parametrize("degrees", [-90, -30, 15, 179])
def test_a_turned_face(degrees: float) -> None:
    crop = find_crop(place(300, 300, 20, degrees))
    assert crop.angle == pytest.approx(degrees, abs=1e-3) and crop.side == pytest.approx(160, rel=1e-5)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), 7), np.full((5, 2), np.nan)])
def test_points_that_span_nothing(points: np.ndarray) -> None:
    with pytest.raises(Rejected, match="degenerate"):
        find_crop(points.astype(np.float32))


@pytest.mark.parametrize(("half", "degrees"), [(20, 0), (20, 25), (9, -40), (75, 10), (20, 170)])
def test_eyes_and_mouth_come_to_their_places(half: float, degrees: float) -> None:
    """Whether it is shrunk or enlarged, turned or not: within a pixel of 128.

    Half a pixel of that is the release's, which counts the centre of a pixel twice.
    """
    landmarks = place(410, 390, half, degrees)
    picture = crop_face(draw((800, 800), landmarks), find_crop(landmarks), 128)
    assert picture.size == (128, 128) and picture.mode == "RGB"
    # The eyes' middle is 0.1 |y'| above the centre, |y'| = |x'| = s / 4.
    assert find_colour(picture, (255, 0, 0)) == pytest.approx([64, 64 - 3.2], abs=1)
    assert find_colour(picture, (0, 0, 255)) == pytest.approx([64, 64 - 3.2 + 32], abs=1)


def test_glance_shows_the_same() -> None:
    landmarks = place(200, 210, 30, 20)
    view = glance(draw((400, 400), landmarks), find_crop(landmarks), 96)
    assert view.size == (96, 96)
    assert find_colour(view, (0, 0, 255)) == pytest.approx([48, 48 - 2.4 + 24], abs=1)


def test_a_crop_inside_is_plain_resampling() -> None:
    ramp = np.tile(np.linspace(0, 255, 400, dtype=np.float32), (400, 1))
    image = Image.fromarray(np.rint(np.stack([ramp, ramp.T, ramp], -1)).astype(np.uint8))
    picture = np.asarray(crop_face(image, Crop(np.float32([200, 200]), np.float32([100, 0])), 64), float)
    wanted = 100 + (np.arange(64) + 0.5) * 200 / 64
    assert picture[:, :, 0].mean(0) == pytest.approx(wanted * 255 / 399, abs=1.5)
    assert picture[:, :, 1].mean(1) == pytest.approx(wanted * 255 / 399, abs=1.5)


def test_outside_of_the_picture() -> None:
    with pytest.raises(Rejected, match="outside"):
        crop_face(Image.new("RGB", (50, 50)), Crop(np.float32([500, 500]), np.float32([20, 0])), 64)


def test_beyond_the_edge_it_is_mirrored_then_blurred_then_one_colour() -> None:
    image = draw((60, 50), seed=3)
    made = np.asarray(continue_beyond_edges(image, (40, 30, 40, 30), 3.0), np.float32)
    assert made.shape == (110, 140, 3)
    inside = np.asarray(image, np.float32)
    # Further in than a third of the padding nothing is changed.
    assert np.array_equal(made[30 + 10 : 80 - 10, 40 + 14 : 100 - 14], inside[10:-10, 14:-14])
    mirrored = np.pad(inside, ((30, 30), (40, 40), (0, 0)), "reflect")
    blurred = np.stack([scipy.ndimage.gaussian_filter(mirrored[..., c], 3.0) for c in range(3)], -1)
    y = 30 - 3  # m = 0.1: all blur, and a tenth of the median
    assert made[y, 60:80] == pytest.approx(blurred[y, 60:80], abs=3)
    y = 30 + 5  # m = -1/6: half blurred
    assert made[y, 70] == pytest.approx((mirrored[y, 70] + blurred[y, 70]) / 2, abs=1)
    corner = made[0, 0]
    assert corner == pytest.approx(np.median(made, (0, 1)), abs=6)


@pytest.mark.parametrize("sigma", [0.8, 5.3, 24.7])
def test_blur_is_scipys(sigma: float) -> None:
    plane = np.random.default_rng(1).uniform(0, 255, (90, 70)).astype(np.float32)
    assert np.abs(blur(plane, sigma) - scipy.ndimage.gaussian_filter(plane, sigma)).max() < 4e-5


def test_a_picture_of_one_pixel() -> None:
    image = Image.new("RGB", (1, 1), "teal")
    picture = crop_face(image, Crop(np.float32([0.5, 0.5]), np.float32([1, 0])), 16)
    assert picture.getcolors() == [(256, (0, 128, 128))]
