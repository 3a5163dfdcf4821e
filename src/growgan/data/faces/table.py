"""The table next to a set of faces: a row per face, kept or not, with landmarks, numbers and the reason."""

from __future__ import annotations

import csv
import io

from growgan.data.faces.judge import Verdict
from growgan.data.faces.landmarks import COLUMNS

HEAD = ("file", "picture", "reason", "confidence", "size", "angle", "inside", "sharpness", *COLUMNS)
"""`picture` is the name in the set, empty for a face that is not in it. `size` is that of the crop, in pixels."""


class Table:
    """Rows as text; `landmarks.read_landmarks` reads them back."""

    def __init__(self) -> None:
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, lineterminator="\n")
        self._writer.writerow(HEAD)

    def add(self, verdict: Verdict, picture: str) -> None:
        """Add a row. picture: the name in the set, or empty."""
        row = [verdict.name, picture, verdict.reason]
        if verdict.face is not None and verdict.crop is not None:
            row += [f"{verdict.face.confidence:.4f}", f"{verdict.crop.side:.2f}", f"{verdict.crop.angle:.2f}"]
            row += [f"{verdict.inside:.3f}", "" if verdict.sharpness is None else f"{verdict.sharpness:.4f}"]
            row += [f"{value:.3f}" for value in verdict.face.landmarks.ravel().tolist()]
        else:
            row += [""] * (len(HEAD) - len(row))
        self._writer.writerow(row)

    def to_bytes(self) -> bytes:
        """Return the CSV as UTF-8."""
        return self._buffer.getvalue().encode(errors="backslashreplace")
