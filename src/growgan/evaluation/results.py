"""What was measured, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from growgan.core.errors import ConfigError, RunError


@dataclass(frozen=True)
class Reference:
    """The same measure of reals: among themselves where it is a distance."""

    value: float
    levels: dict[int, float] | None
    images: int
    """Reals on each side."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One number with all that it depends on. The JSON has these fields by these names (docs/measures.md)."""

    metric: str
    value: float
    levels: dict[int, float] | None
    deviation: float | None
    images: int
    real_images: int | None
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


def append_lines(path: Path, results: Sequence[Result]) -> None:
    """Add a JSON line for each result to a file; `ConfigError` where it has the same measure by another protocol."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            text = file.read()
            known = _protocols(text.splitlines())
            if text and not text.endswith("\n"):  # of a process that was killed
                file.write("\n")
            for result in results:
                if known.setdefault(result.metric, result.protocol) != result.protocol:
                    raise ConfigError(
                        f"{path} has {result.metric} by the protocol {known[result.metric]}, with which "
                        f"{result.protocol} cannot be compared; give another file with --out"
                    )
                file.write(json.dumps(asdict(result)) + "\n")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def of_model(path: Path, subject_hash: str) -> dict[str, dict[str, Any]]:
    """What a file of JSON lines has for the model of this hash, by measure, the last line winning.

    Without what tells of the machine it was measured on: paths. Raises `ConfigError` where the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the measures in {path}: {error}") from error
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["subject_hash"] == subject_hash:
                kept = {key: value for key, value in entry.items() if key not in ("metric", "subject", "subject_hash")}
                found[str(entry["metric"])] = kept | {"against": Path(str(entry["against"])).name}
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _protocols(lines: Iterable[str]) -> dict[str, str]:
    """The protocol of each measure that a file has; a line that was cut off tells nothing."""
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            found[str(entry["metric"])] = str(entry["protocol"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def table(results: Sequence[Result]) -> str:
    """A row for each subject and a column for each number; under the subjects of one size, what reals give."""
    # Large pictures first: of small ones some measures are not defined.
    by_size = sorted(results, key=lambda result: -result.resolution)
    columns = list(dict.fromkeys(name for result in by_size for name in _cells(result)))
    rows: list[list[str]] = []
    for size in dict.fromkeys(result.resolution for result in results):
        of_size = [result for result in results if result.resolution == size]
        for subject in dict.fromkeys(result.subject for result in of_size):
            cells: dict[str, str] = {}
            for result in of_size:
                if result.subject == subject:
                    cells |= _cells(result)
            rows.append([Path(subject).name, f"{size}x{size}", *(cells.get(name, "-") for name in columns)])
        cells = {}
        for result in of_size:
            cells |= _reference_cells(result)
        rows.append(["reals", f"{size}x{size}", *(cells.get(name, "-") for name in columns)])
    return _align([["", "", *columns], *rows])


def _cells(result: Result) -> dict[str, str]:
    return _numbers(result, result.value, result.levels)


def _reference_cells(result: Result) -> dict[str, str]:
    if result.reference is None:
        return {}
    cells = _numbers(result, result.reference.value, result.reference.levels)
    if result.reference.images == result.images:
        return cells
    return {name: f"{text} ({result.reference.images:,})" for name, text in cells.items()}


def _numbers(result: Result, value: float, levels: dict[int, float] | None) -> dict[str, str]:
    levels = levels if levels is not None and len(levels) > 1 else {}
    return {
        result.metric: _number(value),
        **{f"{result.metric}:{size}": _number(found) for size, found in levels.items()},
    }


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _align(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
