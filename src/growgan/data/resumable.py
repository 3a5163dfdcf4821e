"""Sets that take hours: a killed build is resumed, and the set has the same bytes as one that was never killed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from growgan.core.errors import DataError
from growgan.core.files import take_lock
from growgan.core.progress import MakeProgress, Silent
from growgan.data.writer import Stored, check_place, open_writer


class Step(NamedTuple):
    """The outcome for one picture of the source: `note` describes it, `stored` is its file, None without one."""

    origin: str
    note: str
    stored: Stored | None = None


class Resumable:
    """A set called OUT.unfinished until it is complete, and its journal, OUT.unfinished.jsonl: one step per line.

    The journal's first line is `settings`, which identify what the set is made of and how: with other settings it is
    started again. Leaving the `with` block without `end` keeps both, unless there is no picture yet.
    """

    def __init__(self, path: Path, settings: str, overwrite: bool = False) -> None:
        """Raise `DataError` if a set must not be made at `path`, or another process is making it."""
        check_place(path, overwrite)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path.with_name(f"{path.name}.unfinished.jsonl")
        self._journal = self._path.open("a+b")
        if take_lock(self._journal.fileno()) is False:
            self._journal.close()
            raise DataError(f"{path}: another process is writing it")
        self._settings = settings
        self._ended = False
        self.steps = self._read()
        """Those of earlier processes, until `go_on`; then those that are kept."""
        self.writer = open_writer(path, overwrite, path.with_name(f"{path.name}.unfinished").absolute())

    def go_on(self, count: int, progress: MakeProgress = Silent) -> None:
        """Keep the first `count` steps, fewer if files are damaged; must be called before any `note`."""
        steps = self.steps[:count]
        files = [step.stored for step in steps if step.stored is not None]
        whole = self.writer.take_up(_show(files, progress if files else Silent))
        if whole < len(files):
            steps = steps[: next(index for index, step in enumerate(steps) if step.stored == files[whole])]
        self.steps = steps
        self._journal.truncate(0)
        self._journal.write(b"".join([_to_line(self._settings), *map(_to_line, steps)]))
        self._journal.flush()

    def note(self, origin: str, note: str, name: str | None = None, data: bytes = b"") -> None:
        """Record a step that was taken. name, data: the file that was added to `writer`."""
        step = Step(origin, note, None if name is None else Stored(name, len(data), zlib.crc32(data)))
        self.steps.append(step)
        self.writer.flush()
        self._journal.write(_to_line(step))
        self._journal.flush()

    def end(self) -> None:
        """Declare that the set has its final name, so that the journal is removed with the `with` block."""
        self._ended = True

    def _read(self) -> list[Step]:
        """Return the steps of a journal with the same settings, without its last line if that is incomplete."""
        self._journal.seek(0)
        first, *lines = self._journal.read().split(b"\n")
        if first + b"\n" != _to_line(self._settings):
            return []
        try:
            rows = [json.loads(line) for line in lines[:-1]]
            return [Step(origin, note, stored and Stored(*stored)) for origin, note, stored in rows]
        except (ValueError, TypeError):  # damaged: only time is lost
            return []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        if any(step.stored for step in self.steps) and not self._ended:
            self.writer.leave()
        else:
            self.writer.discard()
            self._path.unlink(missing_ok=True)


def _show(files: Sequence[Stored], progress: MakeProgress) -> Iterator[Stored]:
    with progress(len(files), "reading existing files") as bar:
        for stored in files:
            yield stored
            bar.advance()


def _to_line(value: str | Step) -> bytes:
    return json.dumps(value).encode() + b"\n"
