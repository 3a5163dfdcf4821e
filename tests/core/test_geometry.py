"""Sizes and grids."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growgan.core import geometry


@given(st.integers(-10, 5000))
def test_sizes_are_powers_of_two_from_4(n: int) -> None:
    assert geometry.is_size(n) == (n in {4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096})


def test_log2() -> None:
    assert [geometry.log2(2**r) for r in range(64)] == list(range(64))
    for n in (-4, 0, 3, 12, 2**53 + 1):
        with pytest.raises(ValueError, match=str(n)):
            geometry.log2(n)


def test_stages() -> None:
    assert geometry.stages(4) == (4,)
    assert geometry.stages(32) == (4, 8, 16, 32)
    assert geometry.stages(64, 16) == (16, 32, 64)
    assert geometry.stage_name(16) == "16x16"


@pytest.mark.parametrize(
    ("resolution", "shape"), [(4, (16, 9)), (64, (16, 9)), (128, (15, 8)), (256, (7, 4)), (512, (3, 2)), (1024, (3, 2))]
)
def test_grid_of_1080p_has_the_release_s_shape_up_to_16_x_9(resolution: int, shape: tuple[int, int]) -> None:
    assert geometry.grid_shape(resolution) == shape


@given(st.integers(2, 12), st.integers(1, 8000), st.integers(1, 8000))
def test_any_grid_has_pictures_and_not_too_many(r: int, width: int, height: int) -> None:
    columns, rows = geometry.grid_shape(2**r, width, height)
    assert 3 <= columns <= 16 and 2 <= rows <= 9
    assert columns * 2**r <= max(width, 3 * 2**r) and rows <= max(2, math.ceil(height / 2**r))
