"""Disks that fail or fill up: the run goes on, says so, and in the end lacks nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from discs import TINY
from training.making import begin, half_and_half, small

from growgan.cli.main import main
from growgan.core.allocator import STATM
from growgan.core.errors import RunError
from growgan.core.files import whole
from growgan.core.runfiles import RunFiles, images_shown
from growgan.models import native
from growgan.models.native import open_model
from growgan.training import checkpoint, job
from growgan.training.forecast import Forecast
from growgan.training.report import Report
from growgan.training.run import RunFolder
from growgan.training.snapshots import Snapshots
from growgan.training.step import train_step
from growgan.training.tuning import Tuning

OPERATIONS = [
    *((os, name) for name in ("open", "fsync", "link", "truncate")),
    *((Path, name) for name in ("open", "touch", "chmod", "replace", "unlink", "write_text", "mkdir")),
    (native, "save_file"),
]


class Faults:
    """Makes one file operation fail, or none, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int, kind: int) -> None:
        self.count, self.fatal, self.kind = 0, fatal, kind
        for home, name in OPERATIONS:
            monkeypatch.setattr(home, name, self.counted(getattr(home, name)))

    def counted(self, operation):
        def call(*args, **kwargs):
            if args[:1] == (STATM,):  # looked at by a thread of its own, whenever it likes
                return operation(*args, **kwargs)
            self.count += 1
            if self.count == self.fatal:
                raise OSError(self.kind, os.strerror(self.kind))
            return operation(*args, **kwargs)

        return call


def run_of_three_ticks(path: Path, trouble) -> tuple[RunFolder, list[str]]:
    """A run of three steps, a tick each; within `trouble` the second one and the end of a stage are written down."""
    config = small()
    config = replace(config, snapshots=replace(config.snapshots, keep_states=2, model_ticks=1))
    state, schedule, feed = begin(config, half_and_half())
    run = RunFolder(path)
    run.create()
    said: list[str] = []
    snapshots = Snapshots(run, config, {}, [], None)
    tuning = Tuning(run, begin_machine(), said.append, measures=False)
    report = Report(run, schedule, snapshots, Forecast(schedule, config.network), 0, tuning)
    report.board = None
    report.say = said.append
    for number in range(3):
        phase = schedule.at(0)
        stats = train_step(state, phase, feed)
        state.tick_steps, state.tick_sums = 1, dict(stats)
        with trouble if number == 1 else contextlib.nullcontext():
            if number == 1:
                report.after_stage(state, phase)
            report.after_tick(state, phase, last=False)
            state.tick += 1
            report.save(state, phase, grid=False, leaving=False)
    return run, said


def begin_machine():
    from growgan.devices import Machine

    return Machine(torch.device("cpu"))


def lacks_nothing(run: RunFolder) -> None:
    assert [entry["nimg"] for entry in run.read_log()] == [4, 8, 12]
    assert open_model(run.stage(4)).training["nimg"] == 8
    assert open_model(run.snapshots()[-1]).training["nimg"] == 12
    assert images_shown(run.states()[0]) == 12
    state, _, _ = begin(small(), half_and_half())
    assert checkpoint.restore_newest(run, state, pytest.fail) and state.nimg == 12
    assert not list(run.path.rglob("*.tmp"))


@pytest.fixture
def small_grids(monkeypatch):
    monkeypatch.setattr("growgan.core.geometry.grid_shape", lambda resolution: (2, 1))


def test_every_file_operation_may_fail(tmp_path, small_grids):
    found: list[Faults] = []

    @contextlib.contextmanager
    def fault(fatal: int):
        with pytest.MonkeyPatch.context() as patch:
            found.append(Faults(patch, fatal, errno.ENOSPC))
            yield

    run, said = run_of_three_ticks(tmp_path / "none", fault(0))
    lacks_nothing(run)
    assert all(line.startswith("tick ") for line in said)
    total = found[0].count
    assert total > 30
    warned = 0
    for fatal in range(1, total + 1):
        run, said = run_of_three_ticks(tmp_path / str(fatal), fault(fatal))
        lacks_nothing(run)
        warned += any("training continues" in line for line in said)
        shutil.rmtree(run.path)
    assert warned > total / 2  # the others were of no consequence, such as removing what is not there


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
@pytest.mark.parametrize("limit", [0, 1, 100, 1000, 5000, 20000])
def test_writes_that_stop_in_the_middle(tmp_path, limit, small_grids):
    """The system itself cuts files off at `limit` bytes, also those that other libraries write."""

    @contextlib.contextmanager
    def cut():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    run, said = run_of_three_ticks(tmp_path / "run", cut())
    assert any("training continues, earlier files are kept" in line for line in said)
    lacks_nothing(run)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(RunError, match="cannot write"), whole(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
def test_a_disk_that_is_really_full_for_a_while(small_disk, tmp_path, colour_set, monkeypatch, capsys):
    words = ["train", "--data", str(colour_set), *TINY, "--set", "snapshots.measure=none", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    kept, filler = job.loop.train, small_disk / "filler"

    def filled(state, schedule, feed, callbacks, stop):
        told = callbacks.after_step

        def after_step(*args):
            told(*args)
            if state.nimg == 80:
                with contextlib.suppress(OSError), filler.open("wb") as file:
                    while True:
                        file.write(bytes(4096))
                        file.flush()
            if state.nimg == 200:
                filler.unlink()

        callbacks.after_step = after_step
        return kept(state, schedule, feed, callbacks, stop)

    monkeypatch.setattr(job.loop, "train", filled)
    capsys.readouterr()
    assert main([*words, str(small_disk / "run")]) == 0
    assert "No space left on device; training continues" in capsys.readouterr().err
    whole_run, run = RunFiles(tmp_path / "whole"), RunFiles(small_disk / "run")
    assert [path.name for path in run.milestones()] == [path.name for path in whole_run.milestones()]
    for a, b in zip([*run.milestones(), run.states()[0]], [*whole_run.milestones(), whole_run.states()[0]]):
        ours, theirs = (safetensors.torch.load_file(path) for path in (a, b))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    logs = [[json.loads(line)["nimg"] for line in some.log.read_text().splitlines()] for some in (run, whole_run)]
    assert logs[0] == logs[1] == sorted(set(logs[0]))


def test_what_is_owed_finds_the_room_of_the_oldest_state(tmp_path):
    state, _, _ = begin(small(), half_and_half())
    run, tried = RunFolder(tmp_path), []
    run.create()
    for state.nimg in (4, 8):
        checkpoint.save(run, state, keep=2)

    def owed():
        tried.append(len(run.states()))
        if len(run.states()) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoint.making_room(run, owed)
    assert tried == [2, 1] and images_shown(run.states()[0]) == 8


def test_a_log_from_which_nothing_is_cut_needs_no_room(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.append_log([{"nimg": nimg, "seconds": 1.0} for nimg in (4, 8)])
    with monkeypatch.context() as patch:
        patch.setattr("growgan.training.run.write_text", pytest.fail)
        run.forget_after(8)
    with run.log.open("a", encoding="utf-8") as file:
        file.write('{"nimg": 12')  # a line that was cut off
    run.forget_after(4)
    assert [entry["nimg"] for entry in run.read_log()] == [4]
