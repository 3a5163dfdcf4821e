"""The training loop around the step: rounds, ticks, stages, and when to save."""

from __future__ import annotations

import signal
import time
from typing import Protocol

from growgan.core.schedule import Phase, Schedule
from growgan.devices import StepThrottle
from growgan.training.cuda_graphs import Stats
from growgan.training.feed import Feed
from growgan.training.health import TrainingFailure, examine
from growgan.training.state import TrainState
from growgan.training.step import train_step
from growgan.training.stop import Stop


class Callbacks(Protocol):
    """What the loop calls: reports and saves."""

    def before_stage(self, state: TrainState, phase: Phase) -> None:
        """Prepare for steps like those of `phase`, which are about to begin or continue. Called before every step."""

    def after_step(self, state: TrainState, phase: Phase, stats: Stats, seconds: float) -> None:
        """A step has taken `seconds`."""

    def after_tick(self, state: TrainState, phase: Phase, last: bool) -> None:
        """A tick is full, or the run has ended; its sums are still in the state."""

    def after_stage(self, state: TrainState, phase: Phase) -> None:
        """The stage of `phase` is over, and the next one's layers are about to be faded in."""

    def save(self, state: TrainState, phase: Phase, grid: bool, leaving: bool) -> None:
        """Save the state, so that the run can be resumed from here, and a grid of fakes if `grid` is true.

        leaving: the run is being stopped, and its current model may be wanted.
        """


def train(state: TrainState, schedule: Schedule, feed: Feed, callbacks: Callbacks, stop: Stop) -> bool:
    """Train from `state` on until the schedule ends or `stop` is requested. Returns whether the schedule ended.

    A round holds its phase for `minibatch_repeats` minibatches. Ticks and stages end with rounds; the state may be
    saved after any step, and resumes to the same result. Raises `TrainingFailure` if the run has gone wrong, before
    anything of that is written.
    """
    saved, throttle = time.monotonic(), StepThrottle(state.device)
    # A round that has begun is finished, unless the schedule was shortened to less than what the run has already done.
    while state.nimg < schedule.total or (state.repeat and state.held < schedule.total):
        phase = begin_round(state, schedule) if state.repeat == 0 else schedule.at(state.held)
        callbacks.before_stage(state, phase)
        feed.prepare(state, phase)
        seconds, stats = _timed_step(state, phase, feed, throttle)
        state.repeat = (state.repeat + 1) % schedule.config.minibatch_repeats
        state.seconds += seconds
        _add_up(state, stats)
        callbacks.after_step(state, phase, stats, seconds)
        ended = state.repeat == 0 and state.nimg >= schedule.total
        grown = ended or (state.repeat == 0 and schedule.stage_at(state.nimg).resolution > phase.resolution)
        ticked = ended or (state.repeat == 0 and state.nimg - state.tick_start >= phase.tick_images)
        overdue = int(time.monotonic() - saved >= state.config.snapshots.state_minutes * 60)
        overdue, asked = state.ranks.all_reduce_max(overdue, stop.asked or 0)
        if grown or ticked or overdue or asked:
            examine(state, phase)
        if grown:
            callbacks.after_stage(state, phase)
        if ticked:
            callbacks.after_tick(state, phase, last=ended)
            state.tick += 1
            state.tick_start, state.tick_seconds = state.nimg, state.seconds
            state.tick_steps, state.tick_sums = 0, {}
        if ticked or overdue or asked:
            callbacks.save(state, phase, grid=bool(overdue) and not ticked, leaving=bool(asked))
            saved = time.monotonic()
        if asked:
            stop.asked = signal.Signals(asked)
            return ended
    return True


def begin_round(state: TrainState, schedule: Schedule) -> Phase:
    """Read the schedule for the round that starts now; reset Adam's moments if the set of active layers changes."""
    before = schedule.at(state.held) if state.nimg else None
    phase = schedule.at(state.nimg)
    state.held = state.nimg
    if state.config.optim.reset and phase.resets_adam(before):
        state.opt_G.forget()
        state.opt_D.forget()
    return phase


def _timed_step(state: TrainState, phase: Phase, feed: Feed, throttle: StepThrottle) -> tuple[float, Stats]:
    started = time.perf_counter()
    try:
        stats = train_step(state, phase, feed)
        throttle.step()
    except FloatingPointError as error:
        raise TrainingFailure(state, phase, str(error)) from error
    return time.perf_counter() - started, stats


def _add_up(state: TrainState, stats: Stats) -> None:
    state.tick_steps += 1
    for name, value in stats.items():
        state.tick_sums[name] = state.tick_sums.get(name, 0) + value
