"""The metadata of pictures and films that growgan writes, by which it recognises its own files (`files.check_own`)."""

from __future__ import annotations

from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

DESCRIPTION = 0x010E
"""The Exif tag ImageDescription."""


def metadata_for(kind: str, notes: dict[str, str]) -> dict[str, Any]:
    """Return Pillow's options for saving these notes in a file of this kind (PNG, GIF, JPG or WEBP).

    In a PNG each note is a text chunk ``growgan:KEY``; elsewhere all of them form one text.
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
    """Return the notes as one text."""
    return _written("growgan; " + "; ".join(f"{key}: {value}" for key, value in notes.items()))


def _written(text: str) -> str:
    """Return the text in a form that can be written as UTF-8, as file names need not be valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
