"""Films made while the studio goes on: one at a time, in a folder that is deleted with the studio."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from PIL import Image

from growgan.core.errors import ConfigError, UserError
from growgan.sampling import films
from growgan.studio.plans import Film
from growgan.studio.render_queue import RenderQueue
from growgan.studio.service import Studio

KEPT = 12
"""Films that are kept; the oldest is deleted when another one is added."""
WAITING = 4
"""Films that may be pending at once, including the one in progress."""
PATIENCE = 3.0
"""Seconds to wait for a film in progress when the studio is closed."""


@dataclass
class FilmJob:
    """A film and its progress."""

    number: int
    path: Path
    plan: Film
    done: int = 0
    total: int = 0
    started: float | None = None
    error: str = ""
    finished: bool = False
    size: int = 0
    """Bytes of its file, once it is finished."""
    stopped: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> dict[str, Any]:
        """Its state, JSON values. left: seconds, or None if unknown."""
        left = None
        if self.started is not None and self.done and not self.finished:
            left = (monotonic() - self.started) / self.done * (self.total - self.done)
        return {
            "number": self.number,
            "done": self.done,
            "total": self.total,
            "left": left,
            "finished": self.finished,
            "error": self.error,
            "name": self.path.name,
            "of": f"{self.plan.look.model}: {self.plan.way}, {self.plan.seconds:g} s",
            "bytes": self.size,
        }


class FilmJobs:
    """The films of one studio."""

    def __init__(self, studio: Studio, queue: RenderQueue[Any, bytes]) -> None:
        self._studio, self._queue = studio, queue
        self._numbers = count(1)
        self._film_jobs: dict[int, FilmJob] = {}
        self._folder = TemporaryDirectory(prefix="growgan-films-", ignore_cleanup_errors=True)
        self._waiting: SimpleQueue[FilmJob | None] = SimpleQueue()
        self._hand = threading.Thread(target=self._work, name="films", daemon=True)
        self._hand.start()

    def begin(self, plan: Film) -> FilmJob:
        """Queue a film. Raises `ConfigError` if too many are pending."""
        if sum(not job.finished and not job.error for job in self._film_jobs.values()) >= WAITING:
            raise ConfigError(f"{WAITING} films are already being made: wait for one or stop one")
        number = next(self._numbers)
        job = FilmJob(number, Path(self._folder.name) / f"film{number}{plan.suffix}", plan)
        self._film_jobs[number] = job
        for old in [one for one in self._film_jobs.values() if one.finished or one.error][:-KEPT]:
            self.forget(old.number)
        self._waiting.put(job)
        return job

    def all(self) -> list[FilmJob]:
        """All current films, the newest first."""
        return list(self._film_jobs.values())[::-1]

    def get(self, number: int) -> FilmJob:
        """A film by its number. Raises `ConfigError` if it does not exist."""
        if number not in self._film_jobs:
            raise ConfigError(f"film {number} no longer exists")
        return self._film_jobs[number]

    def forget(self, number: int) -> None:
        """Stop a film, or delete it."""
        job = self.get(number)
        job.stopped.set()
        del self._film_jobs[number]
        job.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop and delete all."""
        for number in list(self._film_jobs):
            self.forget(number)
        self._waiting.put(None)
        self._hand.join(PATIENCE)  # a film may still be being written: its folder is deleted regardless
        self._folder.cleanup()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            self._make(job)

    def _make(self, job: FilmJob) -> None:
        try:
            if job.stopped.is_set():
                return
            job.started = monotonic()
            job.total, notes, frames = self._queue.call(lambda: self._studio.film(job.plan)).result()
            films.write(job.path, self._one_by_one(job, frames), job.plan.fps, notes)
            if job.stopped.is_set():
                raise _StoppedError
            job.size = job.path.stat().st_size
            job.finished = True
        except _StoppedError:
            job.path.unlink(missing_ok=True)
        except UserError as error:
            job.error = " ".join(str(error).split())
        except Exception as error:  # such as a full disk: the page shows it, the studio goes on
            job.error = f"{type(error).__name__}: {error}"

    def _one_by_one(self, job: FilmJob, frames: Iterator[Image.Image]) -> Iterator[Image.Image]:
        """The frames, each queued separately, so that pictures requested meanwhile need not wait for the whole film."""
        end = object()
        while True:
            turn: Future[Any] = self._queue.call(lambda: next(frames, end))
            frame = turn.result()
            if job.stopped.is_set():
                raise _StoppedError
            if frame is end:
                return
            yield frame
            job.done += 1


class _StoppedError(Exception):
    """The film is no longer wanted."""
