"""What was measured, as JSON and as a table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from growgan.core.errors import ConfigError, RunError

START = b'{"metric"'
"""Beginning of every line."""


@dataclass(frozen=True)
class Reference:
    """The same measure of reals: between different reals if it is a distance."""

    value: float
    levels: dict[int, float] | None
    images: int
    """Reals that were measured."""
    real_images: int | None
    """Other reals that they were compared with; None if it is not a distance."""


@dataclass(frozen=True)
class Terms:
    """What two numbers must have in common to be compared."""

    metric: str
    protocol: str
    mirrored: bool | None
    against_hash: str | None
    """Both None for a measure that compares with no reals."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One number with everything that it depends on. The JSON has these fields by these names (docs/measures.md)."""

    metric: str
    value: float
    levels: dict[int, float] | None
    deviation: float | None
    images: int
    real_images: int | None
    distinct_reals: int | None
    resolution: int
    reference: Reference | None
    subject: str
    snapshot: str | None
    nimg: int | None
    subject_hash: str
    against: str
    against_hash: str
    mirrored: bool
    seed: int
    protocol: str
    growgan: str


def to_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return plain objects."""
    return [asdict(result) for result in results]


class Lines:
    """A file of measures, one line of JSON each, to which others are added. Opening reads it and tries writing.

    Raises `ConfigError` if the file holds something else, `RunError` if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[dict[str, Any]] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
            with path.open("ab+") as file:
                file.seek(0)
                whole = self._read(file.read())
                file.truncate(len(whole))
            if new:
                path.unlink()
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror or error}") from error

    def _read(self, content: bytes) -> bytes:
        """Read the entries. Returns the content without a last line that a killed process cut off."""
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line.decode())
                if not line.endswith(b"\n"):
                    raise ValueError("truncated")
                self._entries.append({"metric": entry["metric"], **entry})
            except (ValueError, KeyError, TypeError) as error:
                if number == len(lines) and line.startswith(START):
                    return content[: -len(line)]
                raise ConfigError(f"{self.path} is not a file of measures (line {number}); use another") from error
        return content

    def check(self, terms: Terms) -> None:
        """Raise `ConfigError` if the file has the same measure under other terms."""
        for entry in self._entries:
            if entry["metric"] != terms.metric:
                continue
            for name, wanted in asdict(terms).items():
                if wanted is not None and entry.get(name, wanted) != wanted:
                    raise ConfigError(
                        f"{self.path} has {terms.metric} with {name} {entry[name]}, which {wanted} cannot be "
                        "compared with; choose another file with --out"
                    )

    def add(self, result: Result) -> None:
        """Add a line, unless an equal one exists."""
        text = json.dumps(asdict(result), allow_nan=False)
        entry = json.loads(text)
        if entry in self._entries:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._entries.append(entry)


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    """What ``growgan evaluate`` has added to files of JSON lines, oldest first; a missing file counts as empty.

    A last line that a killed process cut off is ignored. Raises `ConfigError` for any other line that is not a measure,
    and for a file that cannot be read.
    """
    found = []
    for path in files:
        try:
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        except OSError as error:
            raise ConfigError(f"cannot read the measures in {path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line.decode())
                found.append({"metric": entry["metric"], **entry})
            except (ValueError, KeyError, TypeError) as error:
                if number < len(lines) or line.endswith(b"\n"):
                    raise ConfigError(f"{path} is not a file of measures (line {number})") from error
    return found


def of_model(path: Path, subject_hash: str) -> dict[str, dict[str, Any]]:
    """A file's measures of the model with this hash, by measure; the last line wins.

    Paths, which depend on the machine it was measured on, are left out. Raises `ConfigError`, see `read`.
    """
    found = {}
    for entry in read([path]):
        if entry.get("subject_hash") == subject_hash:
            kept = {key: value for key, value in entry.items() if key not in ("metric", "subject", "subject_hash")}
            found[str(entry["metric"])] = kept | {"against": Path(str(entry.get("against", ""))).name}
    return found


def lacking(file: Path, subject_hash: str, metrics: Sequence[str]) -> list[str]:
    """Those of `metrics`, such as ``kid`` or ``swd16k``, that a file of measures lacks for a model."""
    have = [line["metric"] for line in read([file]) if line.get("subject_hash") == subject_hash]
    # A name without a number stands for any, and one whose measure has parts for these.
    forms = {name: rf"{name}{'' if re.search('[0-9]', name) else '[0-9]+k?'}(_precision|_recall)?" for name in metrics}
    return [name for name, form in forms.items() if not any(re.fullmatch(form, metric) for metric in have)]


def table(results: Sequence[Result]) -> str:
    """A row per subject and a column per number; below the subjects of one size, the values of reals."""
    # Large pictures first: some measures are not defined for small ones.
    by_size = sorted(results, key=lambda result: -result.resolution)
    columns = list(dict.fromkeys(name for result in by_size for name in _cells(result)))
    clock = ["kimg"] if any(result.nimg is not None for result in results) else []
    rows: list[list[str]] = []
    for size in dict.fromkeys(result.resolution for result in results):
        of_size = [result for result in results if result.resolution == size]
        for subject in dict.fromkeys(result.subject for result in of_size):
            cells: dict[str, str] = {}
            shown = ""
            for result in of_size:
                if result.subject == subject:
                    cells |= _cells(result)
                    shown = f"{result.nimg / 1000:g}" if result.nimg is not None else ""
            rows.append(
                [
                    Path(subject).name,
                    f"{size}x{size}",
                    *([shown] if clock else []),
                    *(cells.get(name, "-") for name in columns),
                ]
            )
        cells = {}
        for result in of_size:
            cells |= _reference_cells(result)
        rows.append(["reals", f"{size}x{size}", *([""] if clock else []), *(cells.get(name, "-") for name in columns)])
    return align([["", "", *clock, *columns], *rows])


def _cells(result: Result) -> dict[str, str]:
    cells = _numbers(result, result.value, result.levels)
    if result.deviation is not None:
        cells[result.metric] += f" +-{_number(result.deviation)}"
    return cells


def _reference_cells(result: Result) -> dict[str, str]:
    if result.reference is None:
        return {}
    reference = result.reference
    cells = _numbers(result, reference.value, reference.levels)
    if reference.images != reference.real_images and reference.real_images is not None:
        sizes = f"{reference.images:,} to {reference.real_images:,}"
    elif reference.images != result.images:
        sizes = f"{reference.images:,}"
    else:
        return cells
    return {name: f"{text} ({sizes})" for name, text in cells.items()}


def _numbers(result: Result, value: float, levels: dict[int, float] | None) -> dict[str, str]:
    levels = levels if levels is not None and len(levels) > 1 else {}
    return {
        result.metric: _number(value),
        **{f"{result.metric}:{size}": _number(found) for size, found in levels.items()},
    }


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def align(rows: list[list[str]]) -> str:
    """Align rows of cells in columns: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
