"""The errors that a user can cause.

Every one ends a command with one line on stderr and exit status 2, never with a traceback.
"""

from __future__ import annotations

import sys

from growgan.core.text import printable


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


class Elsewhere(UserError):
    """An error that another process of the same run has met, and says."""


class OutOfMemory(UserError):
    """The largest stage of a run does not fit the memory that is there."""


def check(ok: bool, sentence: str) -> None:
    """Raise `ConfigError` with a sentence unless a value is possible."""
    if not ok:
        raise ConfigError(sentence)


def say(error: UserError) -> int:
    """Print the error's line on stderr, unless another process does. Returns the command's exit status."""
    if not isinstance(error, Elsewhere):
        print(f"growgan: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    return 2
