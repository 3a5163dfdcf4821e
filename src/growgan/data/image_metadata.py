"""What a picture or film that growgan writes says of itself; it is told from others by that (`files.check_own`)."""

from __future__ import annotations

from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

DESCRIPTION = 0x010E
"""Exif's field for what a picture is."""


def metadata_for(kind: str, notes: dict[str, str]) -> dict[str, Any]:
    """How Pillow is told what a file of this kind (PNG, GIF, JPG or WEBP) says of itself.

    In a PNG each note is a text field ``growgan:KEY``, elsewhere all are one text.
    """
    if kind == "PNG":
        info = PngInfo()
        for key, value in (notes or {"": ""}).items():
            info.add_itxt(f"growgan:{key}", _written(value))
        return {"pnginfo": info}
    if kind != "WEBP":
        return {"comment": said(notes)}
    exif = Image.Exif()
    exif[DESCRIPTION] = said(notes)
    return {"exif": exif}


def said(notes: dict[str, str]) -> str:
    """The notes as one text."""
    return _written("growgan; " + "; ".join(f"{key}: {value}" for key, value in notes.items()))


def _written(text: str) -> str:
    """A text that can be written as UTF-8, which names of files need not be."""
    return text.encode("utf-8", "backslashreplace").decode()
