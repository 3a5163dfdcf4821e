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
from growgan.data.faces.geometry import Points

POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
NAME_COLUMNS = ("file", "image_id", "name", "image", "filename")


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Landmarks by file name: ``find`` has the form of Detector.detect, but goes by the name."""

    path: Path
    points: dict[str, list[Points]]

    def find(self, name: str, image: Image.Image) -> list[Face]:
        """Return the faces of a picture, by its whole name or by the last part of it."""
        points = self.points.get(name) or self.points.get(PurePosixPath(name).name) or []
        return [Face(part, 1.0) for part in points]


def read_landmarks(path: Path) -> Landmarks:
    """Read a file of landmarks; DataError names the line that is wrong.

    CelebA's list: the number of pictures, the names of ten columns, a line a picture. A CSV: a head line, a column of
    names (file, image_id ...) and the ten columns of COLUMNS (lefteye_x or left_eye_x), a row a face; a row may lack
    all ten.
    What `data align` writes beside its set is such a CSV.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text") from error
    is_list = bool(lines) and lines[0].strip().isdecimal()
    points = _parse_list(path, lines) if is_list else _parse_csv(path, lines)
    if not points:
        raise DataError(f"{path}: there are no landmarks in it")
    return Landmarks(path, points)


def _parse_list(path: Path, lines: Sequence[str]) -> dict[str, list[Points]]:
    rows = ((number, line.split()) for number, line in enumerate(lines[2:], 3) if line.strip())
    return _collect(path, ((number, row[0], row[1:]) for number, row in rows))


def _parse_csv(path: Path, lines: Sequence[str]) -> dict[str, list[Points]]:
    reader = csv.reader(lines)
    head = [_spell(column) for column in next(reader, [])]
    names = [head.index(column) for column in NAME_COLUMNS if column in head]
    wanted = [_spell(column) for column in COLUMNS]
    if not names or not set(wanted) <= set(head):
        raise DataError(
            f"{path}: must be CelebA's list of landmarks or a CSV with the columns file, {', '.join(COLUMNS)}"
        )
    places = [head.index(column) for column in wanted]
    least = max(*places, names[0])

    def read_rows() -> Iterable[tuple[int, str, list[str]]]:
        for row in reader:
            if any(row):
                if len(row) <= least:
                    raise DataError(f"{path}: line {reader.line_num}: too few columns")
                values = [row[place] for place in places]
                if any(values):
                    yield reader.line_num, row[names[0]], values

    return _collect(path, read_rows())


def _collect(path: Path, rows: Iterable[tuple[int, str, list[str]]]) -> dict[str, list[Points]]:
    found: dict[str, list[Points]] = {}
    for number, name, values in rows:
        try:
            numbers = [float(value) for value in values]
        except ValueError as error:
            raise DataError(f"{path}: line {number}: not numbers") from error
        if len(numbers) != len(COLUMNS) or not all(map(math.isfinite, numbers)):
            raise DataError(f"{path}: line {number}: must have ten numbers after the name")
        found.setdefault(name, []).append(np.array(numbers, dtype=np.float32).reshape(-1, 2))
    return found


def _spell(column: str) -> str:
    """Return a column's name so that left_eye_x, LeftEye_X and lefteye_x are one."""
    text = column.strip().lower()
    return text if text in NAME_COLUMNS else text.replace("_", "")
