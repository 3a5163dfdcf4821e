"""Results as tables for people: one column per value, one header per part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from growgan.bench.generation import GenerationTime
from growgan.bench.limits import COPY, Rate
from growgan.core.progress import clock

Column = tuple[str, Callable[[Any], str]]


@dataclass(frozen=True)
class Table:
    """The format of a part's rows."""

    title: str
    columns: Sequence[Column]

    def render(self, rows: Sequence[Any]) -> str:
        """Title, header and rows, with the first column left-aligned and numbers right-aligned."""
        cells = [[name for name, _ in self.columns], *([show(row) for _, show in self.columns] for row in rows)]
        used = [i for i in range(len(self.columns)) if any(line[i] for line in cells[1:])]  # no empty columns
        widths = [max(len(line[i]) for line in cells) for i in used]
        lines = [
            "  ".join(
                line[i].ljust(width) if n == 0 else line[i].rjust(width)
                for n, (i, width) in enumerate(zip(used, widths))
            )
            for line in cells
        ]
        notes = [f"  {self.columns[0][1](row)}: {row.note}" for row in rows if getattr(row, "note", "")]
        return "\n".join([self.title, *(line.rstrip() for line in lines), *notes])


def number(value: float | None, digits: int = 3) -> str:
    """A number with this many significant digits, and no exponent; empty for None."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if whole >= digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{value:.6f}".rstrip("0") if "e" in text else text


def share(value: float | None) -> str:
    """A fraction in percent."""
    return "" if value is None else f"{value:.0%}"


def giga(value: float | None) -> str:
    """In billions."""
    return number(None if value is None else value / 1e9)


def mega(value: float | None) -> str:
    """Bytes, in millions."""
    return "" if value is None else f"{value / 1e6:,.0f}"


def _kind(row: Any) -> str:
    return " ".join(filter(None, (row.name, f"{row.resolution}x{row.resolution}", f"b{row.minibatch}", row.d_down)))


def _rate(row: Rate) -> str:
    return f"{giga(row.rate)} {'GB/s' if row.what == COPY else 'GFLOP/s'}"


def _picture(row: GenerationTime) -> str:
    return f"{row.resolution}x{row.resolution} b{row.batch}"


TABLES = {
    "limits": Table(
        "Limits: best rates measured",
        [
            ("", lambda r: r.what),
            ("precision", lambda r: r.precision),
            ("rate", _rate),
            ("at", lambda r: r.shape),
        ],
    ),
    "steps": Table(
        "Train steps: one update of each network; shares relative to the measured convolution limit",
        [
            ("", _kind),
            ("precision", lambda r: r.precision),
            ("s", lambda r: number(r.seconds) or "-"),
            ("min s", lambda r: number(r.least_seconds)),
            ("images/s", lambda r: number(r.images_per_second)),
            ("GFLOP plain", lambda r: giga(r.flops_plain)),
            ("fused", lambda r: giga(r.flops_fused)),
            ("done", lambda r: giga(r.flops_done)),
            ("share plain", lambda r: share(r.share_plain)),
            ("fused", lambda r: share(r.share_fused)),
            ("GB moved", lambda r: giga(r.bytes)),
            ("of bandwidth", lambda r: share(r.share_bandwidth)),
            ("operations", lambda r: f"{r.operations:,}" if r.operations else ""),
            ("steps/s", lambda r: number(r.steps_per_second)),
        ],
    ),
    "generate": Table(
        "Generating pictures, in a warm process",
        [
            ("", _picture),
            ("precision", lambda r: r.precision),
            ("first s", lambda r: number(r.first_seconds)),
            ("then s", lambda r: number(r.seconds)),
            ("min s", lambda r: number(r.least_seconds)),
            ("GFLOP plain", lambda r: giga(r.flops_plain)),
            ("fused", lambda r: giga(r.flops_fused)),
            ("share plain", lambda r: share(r.share_plain)),
            ("fused", lambda r: share(r.share_fused)),
        ],
    ),
    "loader": Table(
        "Data loader: pictures per second when idle, compared with what training consumes (~ estimated)",
        [
            ("", lambda r: f"{r.resolution}x{r.resolution} b{r.minibatch}"),
            ("from memory", lambda r: number(r.images_per_second)),
            ("cores", lambda r: f"{r.cores:.1f}"),
            ("from disk", lambda r: number(r.cold_images_per_second)),
            ("training", lambda r: ("~" if r.estimated else "") + number(r.consumed_per_second)),
            ("ratio", lambda r: number(r.ratio)),
        ],
    ),
    "memory": Table(
        "Peak memory, MB (millions of bytes), each in a fresh process",
        [
            ("", lambda r: f"{r.work} {_kind(r)}"),
            ("precision", lambda r: r.precision),
            ("peak", lambda r: mega(r.peak) or "-"),
            ("PyTorch alone", lambda r: mega(r.base)),
        ],
    ),
    "startup": Table(
        "Command startup: from a cold process to its exit",
        [
            ("", lambda r: r.command),
            ("s", lambda r: number(r.seconds)),
            ("min s", lambda r: number(r.least_seconds)),
        ],
    ),
    "stages": Table(
        "Stages of the run",
        [
            ("", lambda r: f"{r.resolution}x{r.resolution} b{r.minibatch}"),
            ("images", lambda r: f"{r.images:,}"),
            ("timed at", lambda r: f"b{r.measured_minibatch}"),
            ("images/s", lambda r: number(r.images_per_second) or "-"),
            ("hours", lambda r: number(r.hours)),
            ("", lambda r: clock(r.hours * 3600) if r.hours is not None else ""),
        ],
    ),
}
"""The table of each part."""
