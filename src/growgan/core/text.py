"""Text from elsewhere on the user's terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Spell out what would act on a terminal, or cannot be written to it: control characters, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
