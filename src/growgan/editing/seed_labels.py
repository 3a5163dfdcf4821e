"""A person's labels for the pictures of some seeds: a table ``seed,NAME,...``, as written by spreadsheets."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

from growgan.core.errors import ConfigError
from growgan.data.label_files import find_delimiter
from growgan.editing.moves import can_name

WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
LARGEST = 2**26
"""Largest table, in bytes."""
SHOWN = 40
"""Characters of an invalid cell that are quoted in a message."""


def read_seed_labels(path: Path) -> dict[str, dict[int, float]]:
    """Name -> seed -> number; empty cells are skipped. Raises `ConfigError` that names the line and what is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(LARGEST + 1)
        lines = text.splitlines()
        table = csv.reader(lines, delimiter=find_delimiter(lines), strict=True)
        rows = [(table.line_num, [cell.strip() for cell in row]) for row in table if any(map(str.strip, row))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--labels {path} cannot be read: {error}") from error
    if len(text) > LARGEST:
        raise ConfigError(f"--labels {path} is too large for a label table")
    head = rows[0][1] if rows else []
    if not head or head[0].lower() != "seed" or len(head) < 2 or len(rows) < 2:
        raise ConfigError(f"--labels {path} needs a first line seed,NAME,... and then one line per seed")
    for name in head[1:]:
        if not can_name(name) or head.count(name) > 1:
            raise ConfigError(f"--labels {path}: {name[:SHOWN]!r} cannot be a column name")
    found: dict[str, dict[int, float]] = {name: {} for name in head[1:]}
    seeds: set[int] = set()
    for line, row in rows[1:]:
        where = f"--labels {path}, line {line}"
        if len(row) != len(head):
            raise ConfigError(f"{where}: {len(row)} columns, not {len(head)}")
        seed = int(row[0]) if re.fullmatch(r"[0-9]{1,10}", row[0]) else -1
        if not 0 <= seed < 2**32 or seed in seeds:
            again = " a second time" if seed in seeds else ""
            raise ConfigError(f"{where}: {row[0][:SHOWN]!r}{again or ' is not a seed'}")
        seeds.add(seed)
        for name, cell in zip(head[1:], row[1:], strict=True):
            if cell:
                found[name][seed] = _number(cell, where)
    return found


def _number(cell: str, where: str) -> float:
    try:
        value = WORDS[cell.lower()] if cell.lower() in WORDS else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{where}: {cell[:SHOWN]!r} is not a number, yes or no")
    return value
