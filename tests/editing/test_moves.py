"""editing/moves: how moves are written."""

from __future__ import annotations

import math

import pytest

from growgan.core.errors import ConfigError
from growgan.editing import moves


def test_written_and_read() -> None:
    found = moves.parse(" smile:0.4, 1:-0.25,a b:10 ,smile:0.1")
    assert found == {"smile": 0.5, "1": -0.25, "a b": 10.0}
    assert moves.parse(moves.written(found.items())) == found


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "1:x", "1:nan", "1:inf", "1:10.1", "1:-10.1", "1:1,"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--move takes directions and amounts from -10 to 10"):
        moves.parse(text)


def test_names_and_amounts() -> None:
    assert moves.can_name("big smile") and not any(map(moves.can_name, ("", "a,b", "a:b", "a\nb")))
    assert moves.is_amount(-moves.FURTHEST) and not any(map(moves.is_amount, (10.01, math.nan, math.inf)))
