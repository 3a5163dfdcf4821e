"""Landmarks from a file: CelebA's list_landmarks_celeba.txt (or the one for its aligned pictures), or a CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from growgan.core.errors import DataError
from growgan.data.faces.detect import Face

POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
NAME_COLUMNS = ("file", "image_id", "name", "image", "filename")
CONFIDENCE = "confidence"
Row = tuple[int, str, list[str], str]
"""Line number, the picture's name, ten numbers, and the confidence, empty if not given."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Landmarks by file name; `find` has the form of `judge.Find`, but goes by the name alone."""

    path: Path
    faces: dict[str, list[Face]]

    def find(self, name: str, image: Image.Image) -> list[Face]:
        """Return the faces of a picture, by its whole name or by the last part of it."""
        return self.faces.get(name) or self.faces.get(PurePosixPath(name).name) or []


def read_landmarks(path: Path) -> Landmarks:
    """Read a file of landmarks. Raises `DataError` naming the line that is wrong.

    CelebA's list: the number of pictures, the names of ten columns, a line per picture. A CSV: a header line, a column
    of names (file, image_id ...) and the ten columns of `COLUMNS` (lefteye_x or left_eye_x), a row per face; a row may
    lack all ten. An optional column confidence gives their confidence, 1 by default. What `data align` writes next to
    its set is such a CSV.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file") from error
    is_list = bool(lines) and lines[0].strip().isdecimal()
    faces = _parse_list(path, lines) if is_list else _parse_csv(path, lines)
    if not faces:
        raise DataError(f"{path}: no landmarks found")
    return Landmarks(path, faces)


def _parse_list(path: Path, lines: Sequence[str]) -> dict[str, list[Face]]:
    rows = ((number, line.split()) for number, line in enumerate(lines[2:], 3) if line.strip())
    return _collect(path, ((number, row[0], row[1:], "") for number, row in rows))


def _parse_csv(path: Path, lines: Sequence[str]) -> dict[str, list[Face]]:
    reader = csv.reader(lines)
    head = [_spell(column) for column in next(reader, [])]
    names = [head.index(column) for column in NAME_COLUMNS if column in head]
    wanted = [_spell(column) for column in COLUMNS]
    if not names or not set(wanted) <= set(head):
        raise DataError(
            f"{path}: must be CelebA's list of landmarks or a CSV with the columns file, {', '.join(COLUMNS)}"
        )
    places = [head.index(column) for column in wanted]
    sure = head.index(CONFIDENCE) if CONFIDENCE in head else names[0]
    least = max(*places, names[0], sure)

    def read_rows() -> Iterable[Row]:
        for row in reader:
            if any(row):
                if len(row) <= least:
                    raise DataError(f"{path}: line {reader.line_num}: too few columns")
                values = [row[place] for place in places]
                if any(values):
                    yield reader.line_num, row[names[0]], values, row[sure] if CONFIDENCE in head else ""

    return _collect(path, read_rows())


def _collect(path: Path, rows: Iterable[Row]) -> dict[str, list[Face]]:
    found: dict[str, list[Face]] = {}
    for number, name, values, confidence in rows:
        try:
            numbers, sure = [float(value) for value in values], float(confidence or 1)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: not numbers") from error
        if len(numbers) != len(COLUMNS) or not all(map(math.isfinite, [*numbers, sure])):
            raise DataError(f"{path}: line {number}: must have ten numbers after the name")
        found.setdefault(name, []).append(Face(np.array(numbers, dtype=np.float32).reshape(-1, 2), sure))
    return found


def _spell(column: str) -> str:
    """Return a column's name in one spelling for left_eye_x, LeftEye_X and lefteye_x."""
    text = column.strip().lower()
    return text if text in NAME_COLUMNS else text.replace("_", "")
