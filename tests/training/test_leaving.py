"""A run that is left in the midst of something: stopped, cut shorter, or moved away under its trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from growgan.core.errors import UserError
from growgan.models.native import open_model
from growgan.training import job, loop
from growgan.training.request import Request
from growgan.training.run import RunFolder
from growgan.training.stop import Stop

Doing = Callable[[int, Stop], None]


def train(data: Path, out: Path, kimg: float, doing: Doing, monkeypatch: pytest.MonkeyPatch) -> job.Outcome:
    """Train at the preset tiny, and do something after every step, given the images shown."""
    stop = Stop()
    step = loop.train_step

    def stepping(state, phase, feed):
        stats = step(state, phase, feed)
        doing(state.nimg, stop)
        return stats

    overrides = [("schedule.total_kimg", str(kimg)), ("execution.threads", "1"), ("snapshots.measure", "none")]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", stepping)
        prepared = job.prepare(Request(data=data, out=out, preset="tiny", overrides=overrides, say=lambda line: None))
        with prepared.dataset:
            return job.train(prepared, stop)


def stopping(after: int) -> Doing:
    return lambda nimg, stop: stop.ask() if nimg >= after else None


def nothing(nimg: int, stop: Stop) -> None:
    pytest.fail("a step was done")


def test_what_a_run_has_come_to_is_there_when_it_is_stopped(colour_set, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    outcome = train(colour_set, run.path, 50, stopping(1000), monkeypatch)
    newest = open_model(run.snapshots()[-1])
    assert not outcome.ended and newest.training["nimg"] == outcome.nimg >= 1000
    logged = run.read_log()[-1]["nimg"]
    assert logged < outcome.nimg, "a stop between two ticks is meant"


def test_a_run_that_is_cut_shorter_than_it_is_ends_as_it_is(colour_set, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    stopped = train(colour_set, run.path, 50, stopping(1000), monkeypatch)
    before = {path.name: path.read_bytes() for path in run.models.iterdir()}
    assert open_model(run.snapshots()[-1]).resolution == 16
    ended = train(colour_set, run.path, 0.2, nothing, monkeypatch)
    assert ended.ended and ended.nimg == stopped.nimg
    assert {path.name: path.read_bytes() for path in run.models.iterdir()} == before


def test_a_round_that_had_begun_before_the_end_is_finished(colour_set, tmp_path, monkeypatch):
    whole = train(colour_set, tmp_path / "whole", 0.5, lambda nimg, stop: None, monkeypatch)
    part = train(colour_set, tmp_path / "part", 0.5, stopping(500), monkeypatch)
    assert part.nimg >= 500 and not part.ended
    assert train(colour_set, tmp_path / "part", 0.5, lambda nimg, stop: None, monkeypatch) == whole


@pytest.mark.parametrize("after", [0, 200, 300])  # next comes a stage's end, or a tick
def test_a_folder_that_was_moved_is_not_written_anew(after, colour_set, tmp_path, monkeypatch):
    run, there = RunFolder(tmp_path / "run"), tmp_path / "there"

    def moving(nimg: int, stop: Stop) -> None:
        if nimg >= after and not there.exists():
            run.path.rename(there)

    with pytest.raises(UserError, match="run has been moved or replaced"):
        train(colour_set, run.path, 50, moving, monkeypatch)
    assert not run.path.exists()
    saved = train(colour_set, there, 50, stopping(0), monkeypatch)
    assert saved.nimg > 0


def test_a_lock_that_was_deleted_ends_nothing(colour_set, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    assert train(colour_set, run.path, 0.3, lambda nimg, stop: run.lock.unlink(missing_ok=True), monkeypatch).ended


def test_a_disk_that_does_not_answer_says_nothing_of_a_move(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    with run.locked():
        monkeypatch.setattr(Path, "stat", lambda self: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
        run.check_place()
