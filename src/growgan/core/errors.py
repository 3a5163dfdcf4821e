"""The errors that a user can cause.

Each ends a command with one line on stderr and exit status 2, never with a traceback.
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
    """A picture, archive or dataset that cannot be used."""


class ModelError(UserError):
    """A model file that is missing, damaged or of the wrong kind."""


class RunError(UserError):
    """A run folder that cannot be written, is locked, or disagrees with the command."""


class RemoteError(UserError):
    """An error that occurred in another process of the same run, which reports it; the message is the same."""


class OutOfMemory(UserError):
    """Something does not fit into the available memory."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


OUT = ("can't allocate memory", "out of memory")
"""PyTorch's words for exhausted CPU memory, and for GPU memory if TorchScript turns that into a plain error."""


def as_out_of_memory(error: Exception, remedy: str = LESS_AT_ONCE) -> OutOfMemory | None:
    """The error to raise if `error` means that CPU or GPU memory has run out; else None.

    PyTorch's own class is recognised by name, since importing PyTorch takes a second; exhausted CPU memory only by the
    message.
    """
    text = " ".join(str(error).split())
    told = any(words in text for words in OUT)
    if not (told or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"):
        return None
    wanted = re.search(r"allocate ([\d.]+ \w+)", text)
    more = f" ({wanted[1]} more needed)" if wanted else ""
    return OutOfMemory(f"out of memory{more}: {remedy}")


def within_memory(work: Callable[[], T], remedy: str) -> T:
    """The result of `work`. Raises `OutOfMemory` if it runs out of memory."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if (said := as_out_of_memory(error, remedy)) is None:
            raise
    raise said  # outside the except clause: the caught error keeps alive all that `work` allocated


def first_line(error: Exception) -> str:
    """The first sentence of a library's error: PyTorch's run to many lines and sentences."""
    return next(iter(str(error).splitlines()), "").split(". ")[0]


def require(ok: bool, sentence: str) -> None:
    """Raise `ConfigError` with the sentence unless `ok`."""
    if not ok:
        raise ConfigError(sentence)


def say(error: UserError) -> int:
    """Print the error's line on stderr, unless another process does. Returns the command's exit status."""
    if not isinstance(error, RemoteError):
        print(f"growgan: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    return 2
