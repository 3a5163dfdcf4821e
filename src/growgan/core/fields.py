"""Frozen dataclasses to JSON and back, and from the text of ``--set section.field=value``.

The types that a field may have are few and listed here: bool, int, float, str, a `Literal` of strings, any of these
or None, `PerResolution`, and another dataclass of such fields.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from growgan.core import geometry
from growgan.core.errors import ConfigError
from growgan.core.text import nearest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PerResolution:
    """A number for every resolution: `base`, except for the resolutions listed in `at`.

    Written ``16,256:14,512:6`` on the command line and ``{"base": 16, "256": 14, "512": 6}`` in JSON.
    """

    base: float
    at: tuple[tuple[int, float], ...] = ()

    def __call__(self, resolution: int) -> float:
        """The value at `resolution` pixels."""
        return dict(self.at).get(resolution, self.base)

    def values(self) -> tuple[float, ...]:
        """Every value that occurs at some resolution."""
        return (self.base, *(v for _, v in self.at))

    def __str__(self) -> str:
        """The command-line form."""
        return ",".join([f"{self.base:g}", *(f"{resolution}:{value:g}" for resolution, value in self.at)])


def per(base: float, at: dict[int, float] | None = None) -> PerResolution:
    """Short form for presets: ``per(16, {256: 14})``."""
    return PerResolution(base, tuple(sorted((at or {}).items())))


def to_json(value: Any) -> Any:
    """A tree of plain JSON values."""
    if isinstance(value, PerResolution):
        return {"base": value.base} | {str(r): v for r, v in value.at}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


def from_json(cls: type[T], data: Any, where: str = "") -> T:
    """An instance of `cls` from the output of `to_json`; missing fields keep their defaults.

    Raises `ConfigError`, which names the field, for unknown names, wrong types and impossible values.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where or cls.__name__} should be a JSON object, not {data!r}")
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise ConfigError(f"unknown field {_join(where, unknown[0])}; choose from: {', '.join(sorted(hints))}")
    return cls(**{name: _read(hints[name], value, _join(where, name)) for name, value in data.items()})


def replaced(config: T, path: str, text: str, where: str = "") -> T:
    """`config` with the field at the dotted `path` set to the value that `text` stands for.

    Raises `ConfigError`, which names the whole path. where: the section that `path` starts from, for the message.
    """
    name, _, rest = path.partition(".")
    full = _join(where, name)
    hints = typing.get_type_hints(type(config))
    if name not in hints:
        wrong = _join(where, path)
        raise ConfigError(
            f"unknown field {wrong!r}; {_meant(type(config), where, path)}choose from: {', '.join(sorted(hints))}"
        )
    is_section = dataclasses.is_dataclass(hints[name]) and hints[name] is not PerResolution
    if rest and not is_section:
        raise ConfigError(f"{full!r} is a value, not a section: it has no field {rest!r}")
    if is_section and not rest:
        raise ConfigError(f"{full!r} is a section: set one of its fields, such as {full}.{_first_field(hints[name])}")
    value = replaced(getattr(config, name), rest, text, full) if rest else _parse(hints[name], text.strip(), full)
    return dataclasses.replace(config, **{name: value})  # type: ignore[type-var]


def _first_field(cls: Any) -> str:
    return dataclasses.fields(cls)[0].name


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _optional(kind: Any) -> tuple[Any, bool]:
    """The type without its ``| None``, and whether it had one."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        inner = [k for k in typing.get_args(kind) if k is not type(None)]
        return inner[0], True
    return kind, False


def _read(kind: Any, value: Any, where: str) -> Any:
    kind, optional = _optional(kind)
    if value is None and optional:
        return None
    if kind is PerResolution and isinstance(value, dict):
        return _checked_per(value, where)
    if kind is PerResolution and isinstance(value, int | float):  # from a version with one number for all resolutions
        return _checked_per({"base": value}, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind is not PerResolution:
        return from_json(kind, value, where)
    if typing.get_origin(kind) is Literal:
        if value in typing.get_args(kind):
            return value
        raise ConfigError(f"{where} should be one of {', '.join(map(str, typing.get_args(kind)))}, not {value!r}")
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and _is_finite(value):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        if isinstance(value, int | float) and not _is_finite(value):
            raise ConfigError(f"{where} should be a finite number, not {_short(value)}")
        return value
    raise ConfigError(f"{where} should be {_said(kind)}, not {value!r}")


def _parse(kind: Any, text: str, where: str) -> Any:
    inner, optional = _optional(kind)
    if optional and text.lower() in ("none", "null"):
        return None
    if inner is PerResolution:
        return _parse_per(text, where)
    if inner is bool:
        if text.lower() in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return text.lower() in ("true", "yes", "on", "1")
        raise ConfigError(f"{where} should be true or false, not {text!r}")
    try:
        if inner is int:
            return int(text)
        if inner is float:
            return _read(float, float(text), where)
    except ValueError:
        raise ConfigError(f"{where} should be {_said(inner)}, not {text!r}") from None
    return _read(kind, text, where)


def _parse_per(text: str, where: str) -> PerResolution:
    form = f"{where} should be a number, or e.g. 16,256:14 (a value, then resolution:value), not {text!r}"
    base, *rest = text.split(",")
    table: dict[str, Any] = {}
    try:
        table["base"] = _number(base)
        for item in rest:
            resolution, _, value = item.partition(":")
            table[str(int(resolution))] = _number(value)
    except ValueError:
        raise ConfigError(form) from None
    return _checked_per(table, where)


def _meant(cls: type, where: str, wrong: str) -> str:
    """A hint at the field that was probably meant, of this section or its subsections: optim.g_lr for `g_lr`."""
    places = {place.rpartition(".")[2]: place for place in _places(cls, where)}
    meant = nearest(wrong.rpartition(".")[2], places)
    return f"did you mean {places[meant]}? " if meant else ""


def _places(cls: type, where: str) -> Iterator[str]:
    """The dotted names of all fields."""
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind) and kind is not PerResolution:
            yield from _places(typing.cast(type, kind), _join(where, name))
        else:
            yield _join(where, name)


def _number(text: str) -> float:
    return int(text) if text.strip().lstrip("+-").isdigit() else float(text)


def _checked_per(table: dict[str, Any], where: str) -> PerResolution:
    for key, value in table.items():
        if key != "base" and not (key.isdecimal() and geometry.is_size(int(key))):
            raise ConfigError(f"{where} should map resolutions, powers of two from {geometry.LOWEST}, not {key[:20]}")
        if not (isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)):
            raise ConfigError(f"{where} should map resolutions to finite numbers, not {key}: {_short(value)}")
    if "base" not in table:
        raise ConfigError(f"{where} lacks its 'base' value")
    return per(table["base"], {int(k): v for k, v in table.items() if k != "base"})


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a number with very many digits"
    return text[:60]


def _said(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", PerResolution: "a number"}
    return names.get(kind, str(kind))
