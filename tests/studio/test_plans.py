"""Requests become plans, or are refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from growgan.core.errors import ConfigError
from growgan.studio import plans
from growgan.studio.plans import Film, Frame, Key, Look, Random, Said, Sheet, There, Through

LOOK = {"model": "m", "label": 2, "truncation": 0.7}


def read(kind: Any, **fields: Any) -> Any:
    return plans.parse(json.dumps(LOOK | fields), kind)


def test_what_a_page_asks_for() -> None:
    look = Look("m", 2, 0.7)
    assert read(plans.picture, key={"seed": 5}) == (look, Key(5))
    moved = Key(2, photo=True, moves=(("smile", 0.5), ("1", -1.0)))
    assert read(plans.picture, key={"photo": 2, "moves": {"smile": 0.5, "1": -1, "2": 0}}) == (look, moved)
    way = {"keys": [{"seed": 1}, {"seed": 2}]}
    through = Through((Key(1), Key(2)))
    assert read(plans.picture, way=way, frames=30, fps=15, at=29) == (look, Frame(through, 30, 15.0, 29))
    assert read(plans.sheet, keys=[{"seed": 3}]) == Sheet(look, (Key(3),), 1)
    film = read(plans.film, way={"there": {"seed": 1, "moves": {"0": 1}}}, seconds=2, suffix=".gif", size=32)
    assert film == Film(look, There(Key(1, moves=(("0", 1.0),))), 2.0, 30.0, ".gif", 32)
    film = read(plans.film, way={"seed": 4, "smoothing": 0.5}, label=None, truncation=1)
    assert film == Film(Look("m", None, 1.0), Random(4, 0.5), 8.0, 30.0, ".mp4", None)


def test_what_was_said() -> None:
    labels = {"3": 1, "5": 0.5, "4294967295": -2}
    said = plans.parse(json.dumps({"model": "m", "name": " big smile ", "labels": labels}), plans.said)
    assert said == Said("m", "big smile", {3: 1.0, 5: 0.5, 2**32 - 1: -2.0})
    for name, wrong in (
        ("", {}), ("a,b", {}), ("a:b", {}), ("a\nb", {}), ("x" * 61, {}), (4, {}),
        ("a", {"x": 1}), ("a", {"-1": 1}), ("a", {"4294967296": 1}), ("a", {"1": "yes"}), ("a", {"1": True}),
        ("a", {"1": 1, "01": 1}), ("a", {"1": float("inf")}), ("a", []), ("a", {"²": 1}),
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            plans.parse(json.dumps({"model": "m", "name": name, "labels": wrong}), plans.said)


@pytest.mark.parametrize(
    ("kind", "fields", "line"),
    [
        (plans.picture, {}, "frames"),
        (plans.picture, {"key": 3}, "object"),
        (plans.picture, {"key": {}}, "seed of a picture"),
        (plans.picture, {"key": {"seed": -1}}, "from 0 to 4294967295"),
        (plans.picture, {"key": {"seed": 2**32}}, "from 0 to 4294967295"),
        (plans.picture, {"key": {"seed": True}}, "whole number"),
        (plans.picture, {"key": {"seed": 1.5}}, "whole number"),
        (plans.picture, {"key": {"seed": 1, "photo": 1}}, "no 'seed'"),
        (plans.picture, {"key": {"seed": 1, "moves": {"a": "x"}}}, "a number from -10"),
        (plans.picture, {"key": {"seed": 1, "moves": {"a": 11}}}, "a number from -10"),
        (plans.picture, {"key": {"seed": 1, "moves": {"a": float("nan")}}}, "a number from -10"),
        (plans.picture, {"key": {"seed": 1}, "truncation": 3}, "truncation"),
        (plans.picture, {"key": {"seed": 1}, "truncation": float("nan")}, "truncation"),
        (plans.picture, {"key": {"seed": 1}, "label": "cat"}, "label of the request should be a whole number"),
        (plans.picture, {"key": {"seed": 1}, "label": -1}, "label of the request should be a whole number"),
        (plans.picture, {"key": {"seed": 1, "moves": {"a": 10**400}}}, "a number from -10"),
        (plans.picture, {"key": {"seed": 1, "moves": {str(n): 1 for n in range(65)}}}, "at most 64"),
        (plans.picture, {"way": {"seed": 1, "smoothing": 3600}, "frames": 3}, "smoothing"),
        (plans.film, {"way": {"seed": 1}, "suffix": "/../../x.gif"}, "suffix"),
        (plans.film, {"way": {"seed": 1}, "suffix": "gif"}, "suffix"),
        (plans.film, {"way": {"seed": 1}, "suffix": "0"}, "suffix"),
        (plans.film, {"way": {"seed": 1}, "suffix": ".GIF"}, "suffix"),
        (plans.film, {"way": {"seed": 1}, "suffix": 3}, "suffix"),
        (plans.film, {"way": {"seed": 1}, "seconds": 3600, "fps": 100}, "at most 10,000 frames"),
        (plans.picture, {"key": {"seed": 1}, "more": 1}, "no 'more'"),
        (plans.picture, {"way": {"seed": 1, "x": 1}, "frames": 3}, "way has no 'x'"),
        (plans.picture, {"way": {"keys": [{"seed": 1}]}, "frames": 3}, "2 to 500"),
        (plans.picture, {"way": {"seed": 1}, "frames": 3, "at": 3}, "from 0 to 2"),
        (plans.picture, {"way": {"seed": 1}, "frames": 10**9}, "frames"),
        (plans.sheet, {"keys": []}, "1 to 500"),
        (plans.sheet, {"keys": [{"seed": 1}] * 501}, "1 to 500"),
        (plans.film, {"way": {"seed": 1}, "seconds": 0}, "seconds"),
        (plans.film, {"way": []}, "object"),
    ],
)
def test_what_is_refused(kind: Any, fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        read(kind, **fields)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '"x"', "null", b"\xff\xfe\x00", " " * (plans.LONGEST + 1), "[" * 60_000]
)
def test_what_is_no_request(text: str | bytes) -> None:
    with pytest.raises(ConfigError):
        plans.parse(text, plans.picture)


NAMES = st.sampled_from(
    ["model", "label", "truncation", "key", "keys", "way", "frames", "fps", "at", "seconds", "size"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, JSON), st.sampled_from([plans.picture, plans.sheet, plans.film]))
def test_nothing_else_comes_of_a_request(values: dict[str, Any], kind: Any) -> None:
    try:
        plans.parse(json.dumps(values), kind)
    except ConfigError as error:
        assert str(error)
