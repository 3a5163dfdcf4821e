"""The errors that a user can cause.

Every one ends a command with one line on stderr and exit status 2, never with a traceback.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TypeVar

from growgan.core.text import printable

T = TypeVar("T")

LESS_AT_ONCE = "use a smaller batch (--batch, --minibatch, --set execution.microbatch=N) or another --device"


class UserError(Exception):
    """Something the user gave cannot be used; the message is one line and says what to do about it."""


class ConfigError(UserError):
    """A preset, flag or ``--set`` value that does not exist or makes no sense."""


class DataError(UserError):
    """A picture, archive or data set that cannot be used."""


class ModelError(UserError):
    """A model file that is missing, damaged or of another kind."""


class RunError(UserError):
    """A run folder that cannot be written, is locked, or disagrees with the command."""


class RemoteError(UserError):
    """An error that another process of the same run has met, and says; this one knows its sentence."""


class OutOfMemory(UserError):
    """A piece of work does not fit the memory that is there."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, where it ends a command as Ctrl-C does."""


OUT = ("can't allocate memory", "out of memory")
"""What PyTorch says of a processor's memory, and of a card's where that comes out of TorchScript as a plain error."""


def as_out_of_memory(error: Exception, remedy: str = LESS_AT_ONCE) -> OutOfMemory | None:
    """What to say if memory has run out in the midst of some work, the processor's or a card's; else None.

    PyTorch's own class for it is told by its name, since to import PyTorch takes a second; of a processor's memory it
    says so in words alone.
    """
    text = " ".join(str(error).split())
    told = any(words in text for words in OUT)
    if not (told or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"):
        return None
    wanted = re.search(r"allocate ([\d.]+ \w+)", text)
    more = f" ({wanted[1]} more needed)" if wanted else ""
    return OutOfMemory(f"out of memory{more}: {remedy}")


def within_memory(work: Callable[[], T], remedy: str) -> T:
    """What `work` returns. Raises `OutOfMemory` if memory runs out in it."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if (said := as_out_of_memory(error, remedy)) is None:
            raise
    raise said  # not where the error was caught: that holds on to all that the work has made


def first_line(error: Exception) -> str:
    """What a library's error says first: PyTorch's go on for many lines and sentences."""
    return next(iter(str(error).splitlines()), "").split(". ")[0]


def require(ok: bool, sentence: str) -> None:
    """Raise `ConfigError` with the sentence if something about a configuration is not as it has to be."""
    if not ok:
        raise ConfigError(sentence)


def say(error: UserError) -> int:
    """Print the error's line on stderr, unless another process does. Returns the command's exit status."""
    if not isinstance(error, RemoteError):
        print(f"growgan: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    return 2
