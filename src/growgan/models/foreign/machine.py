"""What the instructions of a pickle work on: its bytes, a stack and a memory; and what they may make of a class."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Refused(ValueError):
    """What a file may not hold, or holds damaged, in a sentence without the file's name."""


@dataclass(frozen=True)
class Name:
    """Something that a pickle may name, and what calling it gives here; `make` None: it cannot be called."""

    path: str
    make: Callable[..., Any] | None = None

    def call(self, arguments: Any) -> Any:
        """What the pickle gets for a call."""
        if self.make is None or not isinstance(arguments, tuple):
            raise Refused(f"it calls {self.path}, which is not a function")
        try:
            return self.make(*arguments)
        except TypeError:
            raise Refused(f"it calls {self.path} with {len(arguments)} arguments, which do not fit") from None


@dataclass(eq=False)
class Thing:
    """An object of a class that is known by name only: what it was made with, and its state."""

    path: str
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def build(self, state: Any) -> None:
        """Take the state."""
        self.state = state

    @property
    def attributes(self) -> dict[Any, Any]:
        """The state, where it is the usual dictionary."""
        return self.state if isinstance(self.state, dict) else {}


SPARE = 2**20
"""Length that small files may hand to calls beside their own."""


class Mark:
    """A place on the stack."""


@dataclass
class Machine:
    """The state of one pickle of `data` that is being read, from `position` on."""

    data: memoryview
    find: Callable[[str, str], Name]
    """What a module and a name stand for; raises `Refused`."""
    persistent: Callable[[Any], Any] | None = None
    """What an object that is kept outside the pickle stands for."""
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    handed: int = 0
    """Lengths of all that was handed to calls: each may copy it, and what is remembered can be handed over again."""

    def call(self, function: Any, arguments: Any) -> Any:
        """What a call gives. Memory stays in proportion to the file."""
        if not isinstance(function, Name):
            raise Refused("it calls something that is not a function")
        self.handed += _length(arguments) + sum(map(_length, arguments if isinstance(arguments, tuple) else ()))
        if self.handed > 4 * len(self.data) + SPARE:
            raise Refused("it passes the same values to calls over and over, which no genuine file does")
        return function.call(arguments)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.data) - self.position:
            raise Refused(f"it is truncated at byte {len(self.data)}")
        self.position += count
        return self.data[self.position - count : self.position].tobytes()

    def number(self, form: str) -> Any:
        """The next number of a `struct` form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """The next line, without its end."""
        start = self.position
        step = 4096
        while start < len(self.data):
            part = self.data[start : start + step].tobytes()
            found = part.find(b"\n")
            if found >= 0:
                whole = self.take(start + found - self.position)
                self.take(1)
                return whole
            start += step
            step *= 2
        raise Refused("it ends within a line of text")

    def pop(self) -> Any:
        """The topmost value."""
        if not self.stack or isinstance(self.stack[-1], Mark):
            raise Refused("it pops a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        """The topmost value, which stays."""
        value = self.pop()
        self.stack.append(value)
        return value

    def push(self, value: Any) -> None:
        """A new topmost value."""
        self.stack.append(value)

    def to_mark(self) -> list[Any]:
        """Everything above the last mark, which goes as well."""
        for i in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[i], Mark):
                values = self.stack[i + 1 :]
                del self.stack[i:]
                return values
        raise Refused("it pops values to a missing mark")


def _length(value: Any) -> int:
    """Of a text, of bytes, or of what holds values."""
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0
