"""The run around the step: rounds, resets, ticks, stops, and that a run taken up again is the run never stopped."""

from __future__ import annotations

import errno
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from training.making import RECIPES, Quiet, begin, half_and_half, recipe, small

from growgan.core.errors import RunError
from growgan.core.runfiles import RunFiles, images_shown
from growgan.training import checkpoint
from growgan.training.loop import begin_round, train
from growgan.training.stop import Stop


class StopAfter(Quiet):
    """Asks for a stop after so many steps."""

    def __init__(self, stop: Stop, steps: int) -> None:
        super().__init__()
        self.stop, self.left = stop, steps

    def after_step(self, state, phase, stats, seconds) -> None:
        super().after_step(state, phase, stats, seconds)
        self.left -= 1
        if self.left == 0:
            self.stop.asked = signal.SIGTERM


def everything(state):
    return {name: value.clone() for name, value in state.tensors().items()}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("labelled", [False, True])
def test_a_run_stopped_anywhere_and_taken_up_again_is_the_run_never_stopped(tmp_path, name, labelled):
    config = recipe(small(resolution=8, total_kimg=0.2), name)
    labels = np.arange(64) % 3 if labelled else None
    if labelled:
        config = replace(config, network=replace(config.network, num_labels=3))
    state, schedule, feed = begin(config, half_and_half(), labels)
    callbacks = Quiet()
    assert train(state, schedule, feed, callbacks, Stop())
    assert callbacks.stages == [4, 8]
    final, ticks = everything(state), callbacks.ticks

    for steps in np.random.RandomState(3).choice(np.arange(1, len(callbacks.steps)), 3, replace=False):
        folder = tmp_path / str(steps)
        state, schedule, feed = begin(config, half_and_half(), labels)
        stop = Stop()
        first = StopAfter(stop, int(steps))
        assert not train(state, schedule, feed, first, stop)
        assert first.saved[-1] == state.nimg == callbacks.steps[steps - 1]
        checkpoint.save(RunFiles(folder), state, keep=2)

        state, schedule, feed = begin(replace(config, seed=config.seed), half_and_half(), labels)
        assert checkpoint.restore_newest(RunFiles(folder), state, pytest.fail)
        second = Quiet()
        assert train(state, schedule, feed, second, Stop())
        for name, value in everything(state).items():
            assert torch.equal(value, final[name]), f"{name} differs after a stop at step {steps}"
        assert first.ticks + second.ticks == ticks


def test_adam_forgets_at_both_ends_of_a_fade_and_only_there():
    state, schedule, _ = begin(small(resolution=8, total_kimg=0.2), half_and_half())
    resets = []
    while state.nimg < schedule.total:
        before = state.opt_D.steps
        phase = begin_round(state, schedule)
        if before and state.opt_D.steps == 0:
            resets.append((state.nimg, phase.alpha < 1))
        for _ in range(2):
            state.opt_D.steps += 1
            state.nimg += 4
    # 4x4 lasts 40 images; the first round beyond starts the fade, the first at or after 80 ends it.
    assert resets == [(48, True), (80, False)]


def test_without_reset_adam_never_forgets():
    config = small(resolution=8)
    config = replace(config, optim=replace(config.optim, reset=False))
    state, schedule, feed = begin(config, half_and_half())
    train(state, schedule, feed, Quiet(), Stop())
    assert state.opt_D.steps == 160 // 4


def test_phase_is_held_for_a_whole_round():
    state, schedule, _ = begin(small(), half_and_half())
    state.nimg = 48
    held = begin_round(state, schedule)
    state.nimg, state.repeat = 52, 1
    assert schedule.at(state.held) == held
    assert schedule.at(52) != held


def test_ticks_tell_means_over_their_own_steps():
    state, schedule, feed = begin(small(resolution=4, total_kimg=0.08), half_and_half(size=4))
    losses: list[float] = []
    callbacks = Quiet()
    callbacks.after_step = lambda state, phase, stats, seconds: losses.append(stats["D/loss"].item())
    train(state, schedule, feed, callbacks, Stop())
    assert [nimg for nimg, _ in callbacks.ticks] == [40, 80]
    assert callbacks.ticks[0][1]["D/loss"] == pytest.approx(np.mean(losses[:10]), rel=1e-5)
    assert callbacks.ticks[1][1]["D/loss"] == pytest.approx(np.mean(losses[10:]), rel=1e-5)


def test_nonsense_stops_the_run_with_the_place_in_one_line():
    state, schedule, feed = begin(small(), half_and_half())
    with torch.no_grad():
        next(state.D.parameters()).fill_(float("inf"))
    with pytest.raises(RunError, match=r"after 0 images at 4x4, alpha 1.000, the loss of D is not finite"):
        train(state, schedule, feed, Quiet(), Stop())


def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path):
    state, _, _ = begin(small(), half_and_half())
    state.nimg = 4
    checkpoint.save(RunFiles(tmp_path), state, keep=2)
    state.nimg = 8
    newest = checkpoint.save(RunFiles(tmp_path), state, keep=2)
    for damage in (lambda data: data[: len(data) // 2], lambda data: data[:-5] + b"x" + data[-4:], lambda data: b""):
        kept = newest.read_bytes()
        newest.write_bytes(damage(kept))
        other, _, _ = begin(small(), half_and_half())
        said: list[str] = []
        assert checkpoint.restore_newest(RunFiles(tmp_path), other, said.append)
        assert other.nimg == 4
        assert len(said) == 1
        assert str(newest) in said[0]
        newest.write_bytes(kept)
    (tmp_path / "state" / "state-000000000004.safetensors").unlink()
    newest.write_bytes(b"")
    with pytest.raises(RunError, match="no training state"):
        checkpoint.restore_newest(RunFiles(tmp_path), other, said.append)


def test_only_the_newest_states_stay(tmp_path):
    state, _, _ = begin(small(), half_and_half())
    for state.nimg in (4, 8, 12):
        checkpoint.save(RunFiles(tmp_path), state, keep=2)
    assert [path.name for path in sorted((tmp_path / "state").iterdir())] == [
        "state-000000000008.safetensors",
        "state-000000000012.safetensors",
    ]


def test_on_a_full_disk_the_oldest_state_makes_room(tmp_path, monkeypatch):
    state, _, _ = begin(small(), half_and_half())
    run, really = RunFiles(tmp_path), checkpoint.write_tensors

    def names() -> list[int]:
        return sorted(images_shown(path) for path in run.states())

    def write(number: int, room: int):
        def on_a_disk(path, tensors, metadata):
            if len(run.states()) >= room:
                try:
                    raise OSError(number, "no")
                except OSError as error:
                    raise RunError(f"cannot write {path}") from error
            really(path, tensors, metadata)

        return on_a_disk

    for state.nimg in (4, 8):
        checkpoint.save(run, state, keep=2)
    monkeypatch.setattr(checkpoint, "write_tensors", write(errno.EIO, 2))
    state.nimg = 12
    with pytest.raises(RunError):
        checkpoint.save(run, state, keep=2)
    assert names() == [4, 8]  # a disk that fails is no reason to give up what it holds
    monkeypatch.setattr(checkpoint, "write_tensors", write(errno.ENOSPC, 2))
    checkpoint.save(run, state, keep=2)
    assert names() == [8, 12]
    monkeypatch.setattr(checkpoint, "write_tensors", write(errno.ENOSPC, 1))
    state.nimg = 16
    with pytest.raises(RunError):
        checkpoint.save(run, state, keep=2)
    assert names() == [12]


def test_stop_notes_the_first_signal_and_gives_way_to_a_later_one(monkeypatch):
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked == signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)  # the same once more, as torchrun hands on what its processes have had
        assert stop.asked == signal.SIGTERM
        monkeypatch.setattr("growgan.training.stop.ECHO", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
