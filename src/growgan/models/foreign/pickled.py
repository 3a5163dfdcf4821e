"""Reads pickles as data: interprets their instructions to build containers, numbers and texts, and runs nothing.

A pickle is a program. Python's own reader imports what it names and calls it; this one knows a fixed list of names,
each with a harmless reading (`growgan.models.foreign.names`), and refuses all others. Memory use stays in proportion to
the file: lengths are checked against the bytes left before anything is allocated.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from growgan.core.trees import list_parts, unfold
from growgan.models.foreign.machine import Machine, Mark, Name, Refused, Thing

MOST_STEPS = 1_000_000
"""Most instructions in a pickle; the largest genuine ones have about ten thousand."""
MOST_DIGITS = 4000
"""Most digits of a number written as text."""


def run(m: Machine) -> Any:
    """The value of a pickle, with `m.position` left at the first byte after it. Raises `Refused`."""
    for _ in range(MOST_STEPS):
        code = m.take(1)
        if code == b".":
            return _checked(m.pop())
        step = STEPS.get(code)
        if step is None:
            raise Refused(f"it has an unknown instruction {code.hex()} at byte {m.position - 1}")
        step(m)
    raise Refused(f"it has more than {MOST_STEPS:,} instructions, which no genuine file has")


def _checked(value: Any) -> Any:
    """The value, unless it is larger than its file could write out, counting shared parts at each occurrence."""
    try:
        count = unfold(value, _parts)
    except ValueError as error:
        raise Refused(str(error)) from error
    if count > MOST_STEPS:
        raise Refused(f"it unfolds to more than {MOST_STEPS:,} values, which no genuine file does")
    return value


def _parts(value: Any) -> Iterable[Any]:
    return (value.arguments, value.state) if isinstance(value, Thing) else list_parts(value)


STEPS: dict[bytes, Callable[[Machine], None]] = {}
"""The action of each instruction."""


def _step(code: bytes) -> Callable[[Callable[[Machine], None]], Callable[[Machine], None]]:
    def add(function: Callable[[Machine], None]) -> Callable[[Machine], None]:
        STEPS[code] = function
        return function

    return add


def _text(raw: bytes, encoding: str = "utf-8") -> str:
    return raw.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")


def _whole(raw: bytes) -> int:
    if len(raw) > MOST_DIGITS:
        raise Refused(f"it has a number of {len(raw):,} digits")
    return int(raw)


def _quoted(m: Machine) -> str:
    """A Python 2 string in its own literal notation; bytes become the characters of the same numbers."""
    raw = m.line().strip()
    if len(raw) < 2 or raw[:1] not in (b"'", b'"') or raw[:1] != raw[-1:]:
        raise Refused("it has a string without quotation marks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes that Python 2 left unchanged
        text: str = codecs.escape_decode(raw[1:-1])[0].decode("latin-1")
    return text


def _number_line(m: Machine) -> Any:
    raw = m.line()
    return {b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else _whole(raw)


_VALUES: dict[bytes, Callable[[Machine], Any]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _number_line,
    b"L": lambda m: _whole(m.line().rstrip(b"L")),
    b"J": lambda m: m.number("<i"),
    b"K": lambda m: m.number("<B"),
    b"M": lambda m: m.number("<H"),
    b"\x8a": lambda m: int.from_bytes(m.take(m.number("<B")), "little", signed=True),
    b"\x8b": lambda m: int.from_bytes(m.take(m.number("<i")), "little", signed=True),
    b"F": lambda m: float(m.line()),
    b"G": lambda m: m.number(">d"),
    b"S": _quoted,
    b"T": lambda m: _text(m.take(m.number("<i")), "latin-1"),
    b"U": lambda m: _text(m.take(m.number("<B")), "latin-1"),
    b"V": lambda m: _text(m.line(), "raw-unicode-escape"),
    b"X": lambda m: _text(m.take(m.number("<I"))),
    b"\x8c": lambda m: _text(m.take(m.number("<B"))),
    b"\x8d": lambda m: _text(m.take(m.number("<Q"))),
    b"B": lambda m: m.take(m.number("<I")),
    b"C": lambda m: m.take(m.number("<B")),
    b"\x8e": lambda m: m.take(m.number("<Q")),
    b"\x96": lambda m: m.take(m.number("<Q")),
    b"]": lambda m: [],
    b"}": lambda m: {},
    b")": lambda m: (),
    b"\x8f": lambda m: [],  # a set; nothing that is read needs its contents
    b"(": lambda m: Mark(),
    b"l": lambda m: m.to_mark(),
    b"t": lambda m: tuple(m.to_mark()),
    b"\x91": lambda m: tuple(m.to_mark()),
    b"\x85": lambda m: (m.pop(),),
    b"\x86": lambda m: (m.pop(), m.pop())[::-1],
    b"\x87": lambda m: (m.pop(), m.pop(), m.pop())[::-1],
    b"2": Machine.top,
    b"g": lambda m: _recall(m, _whole(m.line())),
    b"h": lambda m: _recall(m, m.number("<B")),
    b"j": lambda m: _recall(m, m.number("<I")),
    b"c": lambda m: _find(m, _text(m.line()), _text(m.line())),
    b"P": lambda m: _outside(m, _text(m.line())),
    b"Q": lambda m: _outside(m, m.pop()),
}
"""Instructions that push a value."""

for _code, _value in _VALUES.items():
    STEPS[_code] = lambda m, value=_value: m.push(value(m))  # type: ignore[misc]


def _recall(m: Machine, key: int) -> Any:
    if key not in m.memo:
        raise Refused(f"it refers to value {key}, which was never stored")
    return m.memo[key]


def _find(m: Machine, module: Any, name: Any) -> Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise Refused("it has a name that is not text")
    return m.find(module, name)


def _outside(m: Machine, what: Any) -> Any:
    if m.persistent is None:
        raise Refused("it refers to a value outside itself")
    return m.persistent(what)


def _filled(target: Any, pairs: list[Any]) -> None:
    if len(pairs) % 2:
        raise Refused("it has a key without a value")
    if isinstance(target, Thing):
        return  # an instance of a dict subclass: nothing that is read needs its entries
    if not isinstance(target, dict):
        raise Refused("it adds entries to something that is not a dictionary")
    for key, value in zip(pairs[::2], pairs[1::2]):
        if key is not None and not isinstance(key, str | int | float | bytes):
            raise Refused("it has a dictionary whose keys are neither text nor numbers")
        target[key] = value


def _extended(target: Any, values: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif not isinstance(target, Thing):
        raise Refused("it appends to something that is not a list")


@_step(b"\x80")
def _protocol(m: Machine) -> None:
    version = m.number("<B")
    if version > 5:
        raise Refused(f"it has pickle protocol {version}; 0 to 5 are supported")


@_step(b"\x95")
def _frame(m: Machine) -> None:
    if m.number("<Q") > len(m.data) - m.position:
        raise Refused(f"it is truncated at byte {len(m.data)}")


@_step(b"0")
def _drop(m: Machine) -> None:
    if m.stack and isinstance(m.stack[-1], Mark):
        m.stack.pop()
    else:
        m.pop()


@_step(b"1")
def _drop_to_mark(m: Machine) -> None:
    m.to_mark()


@_step(b"p")
def _put_line(m: Machine) -> None:
    m.memo[_whole(m.line())] = m.top()


@_step(b"q")
def _put_byte(m: Machine) -> None:
    m.memo[m.number("<B")] = m.top()


@_step(b"r")
def _put_long(m: Machine) -> None:
    m.memo[m.number("<I")] = m.top()


@_step(b"\x94")
def _memoize(m: Machine) -> None:
    m.memo[len(m.memo)] = m.top()


@_step(b"d")
def _dict(m: Machine) -> None:
    pairs = m.to_mark()
    made: dict[Any, Any] = {}
    _filled(made, pairs)
    m.push(made)


@_step(b"s")
def _set_item(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    _filled(m.top(), [key, value])


@_step(b"u")
def _set_items(m: Machine) -> None:
    pairs = m.to_mark()
    _filled(m.top(), pairs)


@_step(b"a")
def _append(m: Machine) -> None:
    value = m.pop()
    _extended(m.top(), [value])


def _append_all(m: Machine) -> None:
    values = m.to_mark()
    _extended(m.top(), values)


STEPS[b"e"] = STEPS[b"\x90"] = _append_all


@_step(b"\x93")
def _global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.push(_find(m, module, name))


def _call(m: Machine) -> None:
    arguments, function = m.pop(), m.pop()
    m.push(m.call(function, arguments))


STEPS[b"R"] = STEPS[b"\x81"] = _call


@_step(b"\x92")
def _call_with_keywords(m: Machine) -> None:
    _, arguments, function = m.pop(), m.pop(), m.pop()
    m.push(m.call(function, arguments))


@_step(b"i")
def _instance(m: Machine) -> None:
    function = _find(m, _text(m.line()), _text(m.line()))
    m.push(m.call(function, tuple(m.to_mark())))


@_step(b"o")
def _object(m: Machine) -> None:
    values = m.to_mark()
    if not values:
        raise Refused("it makes an object without a class")
    m.push(m.call(values[0], tuple(values[1:])))


@_step(b"b")
def _build(m: Machine) -> None:
    state, target = m.pop(), m.top()
    if hasattr(target, "build"):
        target.build(state)
    elif not isinstance(target, dict):  # attributes of a dictionary, such as PyTorch's `_metadata`
        raise Refused("it sets the state of a value that has none")
