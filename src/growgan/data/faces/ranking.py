"""Pictures ranked by sharpness, in a file that grows as they are measured, so that a killed build loses no work."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from PIL import Image

from growgan.core.progress import MakeProgress, Silent
from growgan.data.faces.spectrum import measure_sharpness
from growgan.data.parallel import map_ordered
from growgan.data.sources import Skipped
from growgan.data.survey import explain

HEAD = ("file", "sharpness", "reason")


class Ranking:
    """Sharpness by name. The file: ``# settings``, a header line, a row per picture; other settings restart it."""

    def __init__(self, path: Path, settings: str) -> None:
        self._path = path
        self._first = f"# {' '.join(settings.split())}\n{','.join(HEAD)}\n"
        self._sharpness: dict[str, float] = {}
        self.skipped: list[Skipped] = []
        self._read()

    def complete(
        self, names: Sequence[str], frame: Callable[[str], Image.Image], progress: MakeProgress = Silent
    ) -> None:
        """Measure what is not measured yet. frame: returns the picture of a name, or raises `Rejected`."""
        rest = [name for name in names if name not in self._sharpness]  # what failed before may have been fixed
        self.skipped.clear()

        def measure(name: str) -> float | str:
            try:
                return measure_sharpness(frame(name))
            except Exception as error:
                return explain(error)

        with (
            self._path.open("a", encoding="utf-8", newline="") as file,
            closing(map_ordered(measure, rest)) as measured,
            progress(len(names), "measuring pictures") as bar,
        ):
            bar.advance(len(names) - len(rest))
            for name, result in zip(rest, measured):
                file.write(_format_row(name, result))
                file.flush()
                self._take(name, result)
                bar.advance()

    def best(self, count: int, names: Sequence[str]) -> list[str]:
        """Return the `count` sharpest of `names`, sorted by name; ties go to the earlier names."""
        order = sorted(self._sharpness.keys() & set(names), key=lambda name: (-self._sharpness[name], name))
        return sorted(order[:count])

    def _take(self, name: str, result: float | str) -> None:
        if isinstance(result, str):
            self.skipped.append(Skipped(name, result))
        else:
            self._sharpness[name] = result

    def _read(self) -> None:
        """Resume what a killed build left, without its last line if that is incomplete."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = ""
        if self._path.exists():
            with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
                text = file.read()
        if not text.startswith(self._first):
            self._path.write_text(self._first, encoding="utf-8", newline="")
            return
        whole = text[: text.rindex("\n") + 1]
        if whole != text:
            self._path.write_text(whole, encoding="utf-8", newline="")
        for row in csv.reader(io.StringIO(whole[len(self._first) :])):
            if len(row) == len(HEAD):
                self._take(row[0], row[2] or float(row[1]))


def _format_row(name: str, result: float | str) -> str:
    buffer = io.StringIO()
    row = (name, "", result) if isinstance(result, str) else (name, repr(result), "")
    csv.writer(buffer, lineterminator="\n").writerow(row)
    return buffer.getvalue()
