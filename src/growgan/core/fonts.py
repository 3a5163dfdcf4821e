"""The font of sheets that show names chosen by the user."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def sans() -> str:
    """Path of DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic and more, but no Chinese.

    Pillow's own font has only English letters.
    """
    spec = find_spec("matplotlib")  # found, not imported, which would take a second
    assert spec is not None and spec.origin is not None, "matplotlib is among the dependencies"
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")
