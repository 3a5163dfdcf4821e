"""Films in the background: made, told, stopped, thrown away."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from growgan.core.errors import ConfigError
from growgan.sampling.model import load
from growgan.studio import film_jobs as film_jobs_module
from growgan.studio.film_jobs import FilmJob, FilmJobs
from growgan.studio.plans import Film, Look, Random
from growgan.studio.render_queue import RenderQueue
from growgan.studio.service import Studio


def make(name: str) -> tuple[Studio, RenderQueue[Any, bytes], FilmJobs]:
    studio = Studio([name], load)
    queue: RenderQueue[Any, bytes] = RenderQueue(studio.pictures, 4)
    return studio, queue, FilmJobs(studio, queue)


def order(name: str, seconds: float = 1.0, suffix: str = ".gif") -> Film:
    return Film(Look(name, None, 1.0), Random(1, 0.2), seconds, 5.0, suffix, None)


def wait(job: FilmJob, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while not (found := job.describe())["finished"] and not found["error"] and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_film_is_made_and_told(plain: str) -> None:
    _, _, film_jobs = make(plain)
    job = film_jobs.begin(order(plain))
    found = wait(job)
    assert found["finished"] and found["done"] == found["total"] == 5 and not found["error"], found
    assert found["bytes"] == job.path.stat().st_size and found["left"] is None
    with Image.open(job.path) as film:
        assert film.n_frames == 5  # type: ignore[attr-defined]
        assert "way: random from seed 1" in film.info["comment"].decode()
    assert film_jobs.get(job.number) is job and film_jobs.all() == [job]
    folder = job.path.parent
    film_jobs.forget(job.number)
    assert not job.path.exists()
    with pytest.raises(ConfigError, match="film 1 no longer exists"):
        film_jobs.get(job.number)
    film_jobs.close()
    assert not folder.exists()


def test_what_cannot_be_made_is_said(plain: str) -> None:
    _, _, film_jobs = make(plain)
    for plan, line in ((order(plain, suffix=".avi"), "film"), (order("nothing"), "no model")):  # as plans lets none
        found = wait(film_jobs.begin(plan))
        assert line in found["error"] and not found["finished"]
    assert wait(film_jobs.begin(order(plain)))["finished"]
    film_jobs.close()


def test_one_is_stopped_and_pictures_go_between(plain: str) -> None:
    studio, queue, film_jobs = make(plain)
    go, first = threading.Event(), threading.Event()
    real = studio.film

    def slow(plan: Film) -> Any:
        count, notes, frames = real(plan)

        def held() -> Any:
            for frame in frames:
                first.set()
                yield frame
                go.wait(30)

        return count, notes, held()

    studio.film = slow  # type: ignore[method-assign]
    job = film_jobs.begin(order(plain, seconds=100))
    assert first.wait(30)
    picture = queue.call(lambda: "between")
    waiting = film_jobs.begin(order(plain))
    film_jobs.forget(job.number)
    go.set()
    assert picture.result(30) == "between"
    assert wait(waiting)["finished"]
    assert job.done <= 2 and not job.path.exists()
    film_jobs.close()


def test_not_too_many(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_jobs_module, "WAITING", 1)
    monkeypatch.setattr(film_jobs_module, "KEPT", 2)
    studio, _, film_jobs = make(plain)
    go, real = threading.Event(), studio.film
    studio.film = lambda plan: (go.wait(30), real(plan))[1]  # type: ignore[method-assign]
    first = film_jobs.begin(order(plain))
    with pytest.raises(ConfigError, match="1 films are already being made"):
        film_jobs.begin(order(plain))
    go.set()
    paths: list[Path] = [first.path]
    wait(first)
    for _ in range(3):
        job = film_jobs.begin(order(plain))
        wait(job)
        paths.append(job.path)
    assert [path.exists() for path in paths] == [False, True, True, True]
    film_jobs.close()


def test_closed_it_does_not_wait_for_a_walk_that_is_reckoned(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_jobs_module, "PATIENCE", 0.2)
    studio, queue, film_jobs = make(plain)
    begun, go = threading.Event(), threading.Event()
    studio.film = lambda plan: (begun.set(), go.wait(60))  # type: ignore[method-assign, assignment, return-value]
    film_jobs.begin(order(plain))
    assert begun.wait(30)
    started = time.monotonic()
    queue.close()
    film_jobs.close()
    assert time.monotonic() - started < 10
    go.set()


def test_a_film_whose_file_was_cleared_away_does_not_hide_the_others(plain: str) -> None:
    _, _, film_jobs = make(plain)
    job = film_jobs.begin(order(plain))
    assert wait(job)["bytes"] > 0
    job.path.unlink()
    assert [one.describe()["finished"] for one in film_jobs.all()] == [True]
    film_jobs.close()
