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
from growgan.studio import reels as reels_module
from growgan.studio.desk import Desk
from growgan.studio.plans import Film, Look, Random
from growgan.studio.reels import Reel, Reels
from growgan.studio.service import Studio


def make(name: str) -> tuple[Studio, Desk[Any, bytes], Reels]:
    studio = Studio([name], load)
    desk: Desk[Any, bytes] = Desk(studio.pictures, 4)
    return studio, desk, Reels(studio, desk)


def order(name: str, seconds: float = 1.0, suffix: str = ".gif") -> Film:
    return Film(Look(name, None, 1.0), Random(1, 0.2), seconds, 5.0, suffix, None)


def wait(reel: Reel, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while not (found := reel.describe())["finished"] and not found["error"] and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_film_is_made_and_told(plain: str) -> None:
    _, _, reels = make(plain)
    reel = reels.begin(order(plain))
    found = wait(reel)
    assert found["finished"] and found["done"] == found["total"] == 5 and not found["error"], found
    assert found["bytes"] == reel.path.stat().st_size and found["left"] is None
    with Image.open(reel.path) as film:
        assert film.n_frames == 5  # type: ignore[attr-defined]
        assert "way: random from seed 1" in film.info["comment"].decode()
    assert reels.get(reel.number) is reel and reels.all() == [reel]
    folder = reel.path.parent
    reels.forget(reel.number)
    assert not reel.path.exists()
    with pytest.raises(ConfigError, match="film 1 no longer exists"):
        reels.get(reel.number)
    reels.close()
    assert not folder.exists()


def test_what_cannot_be_made_is_said(plain: str) -> None:
    _, _, reels = make(plain)
    for plan, line in ((order(plain, suffix=".avi"), "film"), (order("nothing"), "no model")):  # as plans lets none
        found = wait(reels.begin(plan))
        assert line in found["error"] and not found["finished"]
    assert wait(reels.begin(order(plain)))["finished"]
    reels.close()


def test_one_is_stopped_and_pictures_go_between(plain: str) -> None:
    studio, desk, reels = make(plain)
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
    reel = reels.begin(order(plain, seconds=100))
    assert first.wait(30)
    picture = desk.call(lambda: "between")
    waiting = reels.begin(order(plain))
    reels.forget(reel.number)
    go.set()
    assert picture.result(30) == "between"
    assert wait(waiting)["finished"]
    assert reel.done <= 2 and not reel.path.exists()
    reels.close()


def test_not_too_many(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reels_module, "WAITING", 1)
    monkeypatch.setattr(reels_module, "KEPT", 2)
    studio, _, reels = make(plain)
    go, real = threading.Event(), studio.film
    studio.film = lambda plan: (go.wait(30), real(plan))[1]  # type: ignore[method-assign]
    first = reels.begin(order(plain))
    with pytest.raises(ConfigError, match="1 films are already being made"):
        reels.begin(order(plain))
    go.set()
    paths: list[Path] = [first.path]
    wait(first)
    for _ in range(3):
        reel = reels.begin(order(plain))
        wait(reel)
        paths.append(reel.path)
    assert [path.exists() for path in paths] == [False, True, True, True]
    reels.close()


def test_closed_it_does_not_wait_for_a_walk_that_is_reckoned(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reels_module, "PATIENCE", 0.2)
    studio, desk, reels = make(plain)
    begun, go = threading.Event(), threading.Event()
    studio.film = lambda plan: (begun.set(), go.wait(60))  # type: ignore[method-assign, assignment, return-value]
    reels.begin(order(plain))
    assert begun.wait(30)
    started = time.monotonic()
    desk.close()
    reels.close()
    assert time.monotonic() - started < 10
    go.set()


def test_a_film_whose_file_was_cleared_away_does_not_hide_the_others(plain: str) -> None:
    _, _, reels = make(plain)
    reel = reels.begin(order(plain))
    assert wait(reel)["bytes"] > 0
    reel.path.unlink()
    assert [one.describe()["finished"] for one in reels.all()] == [True]
    reels.close()
