"""Dataclasses to JSON and back, and from the text of --set."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError
from growgan.core.fields import PerResolution, from_json, per, replaced, to_json


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    whole: int = 1
    number: float = 1.5
    maybe: int | None = None
    maybe_number: float | None = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    text: str = "a"
    switch: bool = False
    choice: Literal["one", "two"] = "one"
    table: PerResolution = per(1)
    section: Section = dataclasses.field(default_factory=Section)


finite = st.floats(allow_nan=False, allow_infinity=False)
tables = st.builds(
    per,
    st.one_of(st.integers(-(10**6), 10**6), finite),
    st.dictionaries(st.sampled_from([4, 8, 256, 1024]), st.one_of(st.integers(0, 99), finite), max_size=3),
)
sections = st.builds(
    Section,
    whole=st.integers(-(2**80), 2**80),
    number=finite,
    maybe=st.none() | st.integers(),
    maybe_number=st.none() | finite,
)
trees = st.builds(
    Tree, text=st.text(), switch=st.booleans(), choice=st.sampled_from(["one", "two"]), table=tables, section=sections
)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_round_trip(tree: Tree) -> None:
    text = json.dumps(to_json(tree), allow_nan=False)
    assert from_json(Tree, json.loads(text)) == tree
    assert json.dumps(to_json(from_json(Tree, json.loads(text)))) == text


def test_form_in_json() -> None:
    assert to_json(Tree(table=per(16, {512: 6, 256: 14}))) == {
        "text": "a",
        "switch": False,
        "choice": "one",
        "table": {"base": 16, "256": 14, "512": 6},
        "section": {"whole": 1, "number": 1.5, "maybe": None, "maybe_number": 2.0},
    }


def test_missing_fields_keep_their_defaults() -> None:
    assert from_json(Tree, {}) == Tree()
    assert from_json(Tree, {"section": {"whole": 5}}) == Tree(section=Section(whole=5))


def test_per_resolution() -> None:
    table = per(16, {512: 6, 256: 14})
    assert [table(size) for size in (4, 256, 512, 1024)] == [16, 14, 6, 16]
    assert table == per(16, {256: 14, 512: 6}) and table.values() == (16, 14, 6)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("text", " b c ", Tree(text="b c")),
        ("text", "none", Tree(text="none")),
        *(("switch", text, Tree(switch=True)) for text in ("true", "True", "yes", "on", "1")),
        *(("switch", text, Tree()) for text in ("false", "no", "OFF", "0")),
        ("choice", "two", Tree(choice="two")),
        ("table", "3", Tree(table=per(3))),
        ("table", "16,256:14, 512:6.5", Tree(table=per(16, {256: 14, 512: 6.5}))),
        ("table", "-1e-3,4:+2", Tree(table=per(-0.001, {4: 2}))),
        ("section.whole", "-7", Tree(section=Section(whole=-7))),
        ("section.number", "1e-3", Tree(section=Section(number=0.001))),
        ("section.number", "3", Tree(section=Section(number=3.0))),
        ("section.maybe", "4", Tree(section=Section(maybe=4))),
        ("section.maybe_number", "None", Tree(section=Section(maybe_number=None))),
        ("section.maybe_number", "null", Tree(section=Section(maybe_number=None))),
    ],
)
def test_set(path: str, text: str, expected: Tree) -> None:
    found = replaced(Tree(), path, text)
    assert found == expected
    # Equal is not enough: 3 == 3.0 == True.
    assert json.dumps(to_json(found)) == json.dumps(to_json(expected))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("switch", "maybe"),
        ("switch", ""),
        ("choice", "three"),
        ("table", ""),
        ("table", "x"),
        ("table", "16,256"),
        ("table", "16,x:3"),
        ("table", "16,-4:3"),
        ("table", "16,256:"),
        ("table", "nan"),
        ("table", "16,4:inf"),
        ("table", "16;256:4"),
        ("table", "1" + "0" * 400),
        ("section.whole", "1.5"),
        ("section.whole", "none"),
        ("section.whole", ""),
        ("section.number", "nan"),
        ("section.number", "-inf"),
        ("section.number", "1e999"),
        ("section.number", "three"),
        ("section.maybe", "x"),
        ("section.maybe_number", "inf"),
    ],
)
def test_set_refuses_with_the_field_s_name(path: str, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(path.split(".")[-1])) as caught:
        replaced(Tree(), path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["section.whole", "section.number", "section.maybe"])
def test_set_refuses_with_the_whole_path(path: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(path)):
        replaced(Tree(), path, "x")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "''"),
        ("nope", "'nope'"),
        ("section.nope", "nope"),
        ("nope.whole", "nope"),
        ("text.nope", "nope"),
        ("section", "section"),
        ("section.", "section"),
        (".text", "unknown field"),
        ("section..whole", "unknown field"),
        ("section.whole.x", "x"),
    ],
)
def test_set_refuses_paths_that_lead_nowhere(path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        replaced(Tree(), path, "1")


def leaves(cls: Any, where: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, kind in typing.get_type_hints(cls).items():
        path = f"{where}.{name}" if where else name
        section = dataclasses.is_dataclass(kind) and kind is not PerResolution
        found += leaves(kind, path) if section else [(path, kind)]
    return found


def wrong_for(kind: Any) -> list[Any]:
    """Values of JSON that a field of this type must not have."""
    wrong: list[Any] = [["x"], {"x": 1}]
    optional = type(None) in typing.get_args(kind)
    inner = typing.get_args(kind)[0] if optional else kind
    wrong += [] if optional else [None]
    if inner is bool:
        return [*wrong, 0, 1, "true"]
    if inner is str:
        return [*wrong, 1, True]
    if inner is int:
        return [*wrong, True, "1", 1.0, 1.5]
    if inner is float:
        return [*wrong, True, "1", math.nan, math.inf]
    if inner is PerResolution:
        bad = (True, "1", None, math.nan, -math.inf)
        return [*wrong, {}, {"4": 1}, {"base": 1, "-4": 1}, {"base": 1, "four": 1}, *({"base": b} for b in bad)]
    return [*wrong, "no such choice", 1]


def test_one_number_stands_for_every_resolution() -> None:
    """As r1_gamma was written before it could differ by resolution."""
    assert from_json(RunConfig, {"loss": {"r1_gamma": 3}}).loss.r1_gamma == per(3)


LEAVES = leaves(RunConfig)


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize(("path", "kind"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_field_of_a_run_refuses_wrong_types_by_its_name(path: str, kind: Any) -> None:
    for value in wrong_for(kind):
        with pytest.raises(ConfigError, match=re.escape(path)):
            from_json(RunConfig, nested(path, value))


@pytest.mark.parametrize("path", ["nope", "network.nope", "schedule.training", "execution.Device"])
def test_unknown_names_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(path)):
        from_json(RunConfig, nested(path, 1))


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_a_section_must_be_an_object(data: Any) -> None:
    with pytest.raises(ConfigError, match="RunConfig"):
        from_json(RunConfig, data)
    with pytest.raises(ConfigError, match="network"):
        from_json(RunConfig, {"network": data})


@pytest.mark.parametrize("data", [{"number": 10**400}, {"whole": {"base": 1}}])
def test_hostile_numbers(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(data))):
        from_json(Section, data)


@pytest.mark.parametrize("table", [{"base": 10**400}, {"base": 1, "²": 2}])
def test_hostile_tables(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="table"):
        from_json(Tree, {"table": table})


@settings(max_examples=200, deadline=None)
@given(path=st.sampled_from([path for path, _ in LEAVES]), text=st.text(max_size=12))
def test_any_text_is_read_or_refused(path: str, text: str) -> None:
    try:
        run = replaced(RunConfig(), path, text)
    except ConfigError as refused:
        assert str(refused)
    else:
        assert from_json(RunConfig, json.loads(json.dumps(to_json(run), allow_nan=False))) == run
