"""Text for the user's terminal."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def printable(text: str) -> str:
    """Escape what would control a terminal or cannot be written to it: control characters, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def composed(text: str) -> str:
    """A name in composed form (NFC), as typed: macOS may store an umlaut as two characters, which would not match."""
    return unicodedata.normalize("NFC", text)


def counted(number: int, thing: str) -> str:
    """A count with its noun: 1 picture, 1,000 pictures, 2 classes."""
    plural = thing if number == 1 else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{number:,} {plural}"


def file_size(size_bytes: int) -> str:
    """A human-readable file size: 812 bytes, 1.4 MB."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def memory_size(count: float) -> str:
    """A human-readable memory size: 0.5 GiB, 12.3 MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 0.1 * 2**30 else f"{count / 2**20:.1f} MiB"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, ignoring case; None if none is similar."""
    names = {name.lower(): name for name in known}
    meant = difflib.get_close_matches(word.lower(), list(names), 1)
    return names[meant[0]] if meant else None


def suggested(word: str, known: Iterable[str]) -> str:
    """``did you mean NAME? `` if a known name is similar, else nothing; to precede the list of all names."""
    return f"did you mean {meant}? " if (meant := nearest(word, known)) else ""


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
