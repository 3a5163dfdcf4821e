"""Labels from a file: a CSV, CelebA's list_attr_celeba.txt, or JSON.

- CSV (commas or semicolons) or TSV with a header line: a column of names and one of classes, or several of 0 (or -1)
  and 1 if a picture may have several. An empty label cell means that the picture has no label.
- list_attr_celeba.txt: the number of pictures, the names of the attributes, then a line per picture with -1 and 1.
- JSON: {name: class}, or the contents of a dataset.json.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from growgan.core.errors import DataError
from growgan.core.text import composed, suggested
from growgan.data.labels import MOST_CLASSES, parse_sidecar
from growgan.data.pictures import is_picture_name
from growgan.data.sources import Label

NAME_COLUMNS = ("name", "file", "filename", "file_name", "image", "image_id", "img", "path")
LARGEST_FILE = 2**30
ON, OFF = ("1", "1.0", "true", "True"), ("0", "-1", "0.0", "-1.0", "false", "False")


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels by name, None for a name that the file leaves unlabelled.

    `class_names` is empty if the labels are names themselves or bare numbers.
    """

    path: Path
    labels: dict[str, Label | None]
    class_names: tuple[str, ...] = ()
    _whole: dict[str, str | None] = field(default_factory=dict, init=False)
    _short: dict[str, str | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for full in self.labels:  # now, before several threads look up names
            whole = composed(full)
            self._whole[whole] = full if whole not in self._whole else None
            last = PurePosixPath(composed(full)).name
            for short in {last, PurePosixPath(last).stem}:
                self._short[short] = full if short not in self._short else None

    def find(self, *names: str) -> Label | None:
        """Return a picture's label by its whole name, else by its file name, with or without suffix, if that is unique.

        A match by file name counts only if one name is the end of the other, in whole folders: a label for
        ``000001.jpg`` fits ``img/000001.jpg``, but one for ``train/000001.jpg`` does not fit ``test/000001.jpg``.

        names: if several are given, the first one that the file holds whole counts; only the last is also matched by
        file name.
        """
        for name in names:
            full = name if name in self.labels else self._whole.get(composed(name))
            if full is not None:
                return self.labels[full]
        last = PurePosixPath(composed(names[-1])).name
        full = self._short.get(last) or self._short.get(PurePosixPath(last).stem)
        return self.labels[full] if full is not None and _is_tail(composed(names[-1]), composed(full)) else None


def _is_tail(one: str, other: str) -> bool:
    """Whether the folders of one name are the last folders of the other."""
    folders, others = (PurePosixPath(name).parts[:-1] for name in (one, other))
    shared = min(len(folders), len(others))
    return folders[len(folders) - shared :] == others[len(others) - shared :]


def read_label_file(path: Path, columns: Sequence[str] = ()) -> LabelFile:
    """Read a label file. columns: use only these. Raises `DataError` saying what is wrong with it, and where."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path}: too large for a label file")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text") from error
    if path.suffix.lower() == ".json" or text.lstrip().startswith("{"):
        found = _read_json(path, data)
        if columns:
            raise DataError(f"{path}: --columns needs a table")
        return found
    lines = text.splitlines()
    if lines and lines[0].strip().isdigit():
        rows = [line.split() for line in lines[1:] if line.strip()]
        return _read_table(path, ["name", *rows[0]] if rows else [], rows[1:], columns, 3)
    try:
        rows = [row for row in csv.reader(lines, delimiter=find_delimiter(lines), strict=True) if row]
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV ({error})") from error
    return _read_table(path, rows[0] if rows else [], rows[1:], columns, 2)


def find_delimiter(lines: Sequence[str]) -> str:
    """Return the column delimiter of a table, judged by its first line."""
    # Spreadsheets write semicolons where the comma is the decimal mark.
    head = lines[0] if lines else ""
    return next((mark for mark in "\t,;" if mark in head), ",")


def _read_table(
    path: Path, head: list[str], rows: Iterable[list[str]], wanted: Sequence[str], first_line: int
) -> LabelFile:
    head = [title.strip() for title in head]
    if len(head) < 2:
        raise DataError(f"{path}: the first line must name at least two columns")
    if is_picture_name(head[0]):
        raise DataError(f"{path}: the first line names a picture, {head[0]}; it must name the columns, e.g. name,class")
    at = next((head.index(title) for title in head if title.lower() in NAME_COLUMNS), 0)
    titles = [title for number, title in enumerate(head) if number != at]
    if unknown := [title for title in wanted if title not in titles]:
        wrong = " or ".join(map(repr, unknown))
        raise DataError(f"{path}: no label column {wrong}; {suggested(unknown[0], titles)}it has {', '.join(titles)}")
    chosen = [number for number, title in enumerate(head) if number != at and (not wanted or title in wanted)]
    labels: dict[str, Label | None] = {}
    for line, row in enumerate(rows, first_line):
        if len(row) != len(head):
            raise DataError(f"{path}: line {line} has {len(row)} columns, not {len(head)}")
        name = row[at].strip()
        if name in labels:
            raise DataError(f"{path}: line {line} names {name} a second time")
        cells = [row[number].strip() for number in chosen]
        if not all(cells):
            labels[name] = None
        elif len(cells) == 1:
            labels[name] = _parse_class(cells[0])
        else:
            try:
                labels[name] = [_parse_flag(cell) for cell in cells]
            except ValueError as error:
                raise DataError(f"{path}: line {line}: {error}; in several columns, labels are 0 to 1") from error
    if all(label is None for label in labels.values()):
        raise DataError(f"{path}: no labels found")
    if len(chosen) == 1:
        return LabelFile(path, _settle(labels))
    return LabelFile(path, labels, tuple(head[number] for number in chosen))


def _settle(labels: dict[str, Label | None]) -> dict[str, Label | None]:
    """Keep labels as numbers if all are non-negative integers; otherwise make all of them names."""
    if not any(isinstance(label, str) for label in labels.values()):
        return labels
    return {name: None if label is None else str(label) for name, label in labels.items()}


def _parse_class(cell: str) -> Label:
    # "007" is a name: as a number it would be written differently.
    if cell.isascii() and cell.isdigit() and str(int(cell[:9])) == cell and int(cell) < MOST_CLASSES:
        return int(cell)
    return composed(cell)


def _parse_flag(cell: str) -> float:
    if cell in ON or cell in OFF:
        return float(cell in ON)
    share = float(cell)
    if not 0 <= share <= 1:
        raise ValueError(f"{cell} is not from 0 to 1")
    return share


def _read_json(path: Path, data: bytes) -> LabelFile:
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error})") from error
    if isinstance(content, dict) and ("labels" in content or "class_names" in content):
        sidecar = parse_sidecar(data, path)
        return LabelFile(path, dict(sidecar.labels or {}), sidecar.class_names)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: must be a JSON object of names and labels")
    if all(isinstance(label, str) for label in content.values()):
        return LabelFile(path, content)
    rows = json.dumps({"labels": list(content.items())}).encode()
    return LabelFile(path, dict(parse_sidecar(rows, path).labels or {}))
