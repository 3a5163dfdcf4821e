"""Steps on synthetic pictures: to measure what memory and time a stage needs before the run begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from growgan.core.config import RunConfig
from growgan.core.errors import RunError
from growgan.core.schedule import Phase, Schedule
from growgan.devices import Machine, StepThrottle, synchronize
from growgan.training.draws import Draws
from growgan.training.microbatches import own_rows
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState
from growgan.training.step import train_step

MOST_SECONDS = 2.0
"""How long the steps of one stage are timed, or one step if that takes longer."""
Prepare = Callable[[TrainState, Phase], None]


class TrialSteps:
    """Stands in for `feed.Feed`: grey pictures, labels all of the first class."""

    def __init__(self, state: TrainState) -> None:
        self.state = state
        self.spec = state.spec

    def reals(self, nimg: int, phase: Phase) -> tuple[Tensor, Tensor | None]:
        """Grey images for this process's share of a minibatch."""
        own = len(own_rows(self.state.parts(phase)))
        return self._grey(phase, own), self._labels(own)

    def random_labels(self, draws: Draws) -> Tensor | None:
        """Labels for as many fakes."""
        return self._labels(draws.count)

    def d_losses(self, phase: Phase, rows: int) -> Iterator[Tensor]:
        """D's loss on `rows` images, before backward, in the groups that are backpropagated one after the other.

        First with its lazy penalties, whatever the moment, then without if not every step has them: what is measured
        this way holds for every step of the stage.
        """
        state, draws = self.state, self._draws(phase, rows)
        with torch.no_grad():
            fakes = state.G(draws.normal("z", self.spec.z_size), self._labels(rows), phase.resolution, phase.alpha)
        for penalised in (True, False) if state.config.loss.every(phase.resolution) > 1 else (True,):
            D, info = state.critic(phase, draws), replace(state.step_info(phase), penalised=penalised)
            for terms in state.loss.d_terms(D, self._grey(phase, rows), fakes, self._labels(rows), draws, info):
                yield terms.total

    def g_losses(self, phase: Phase, rows: int) -> Iterator[Tensor]:
        """G's loss on `rows` images, before backward."""
        state, draws = self.state, self._draws(phase, rows)
        fakes = state.G(draws.normal("z", self.spec.z_size), self._labels(rows), phase.resolution, phase.alpha)
        D, reals = state.critic(phase, draws), self._grey(phase, rows)
        yield state.loss.g_terms(D, reals, fakes, self._labels(rows), draws).total

    def _draws(self, phase: Phase, rows: int) -> Draws:
        return replace(self.state.draws("D", phase), n=rows)

    def _grey(self, phase: Phase, rows: int) -> Tensor:
        shape = (rows, self.spec.channels, phase.resolution, phase.resolution)
        return torch.zeros(shape, dtype=self.state.dtype, device=self.state.device)

    def _labels(self, rows: int) -> Tensor | None:
        if not self.spec.num_labels:
            return None
        if self.spec.multi_label:
            return torch.zeros(rows, self.spec.num_labels, device=self.state.device)
        return torch.zeros(rows, dtype=torch.int64, device=self.state.device)


def seconds_per_image(
    config: RunConfig,
    schedule: Schedule,
    machine: Machine,
    ranks: Ranks = ALONE,
    prepare: Prepare | None = None,
    look: Callable[[], None] = lambda: None,
) -> dict[int, float]:
    """Training seconds per image at each resolution of the run, with half of the time fading.

    Every process takes part, and gets the first one's stats. prepare: called before each stage, and not timed. look:
    called now and then; it may interrupt by raising. Raises `RunError` if losses are not finite.
    """
    state = TrainState(config, machine, ranks, keep=True)
    trial = TrialSteps(state)
    found = {}
    for stage in schedule.stages:
        if prepare is not None:
            prepare(state, schedule.trained(stage))
        alphas = (0.5, 1.0) if stage.faded > stage.start else (1.0,)
        times = [_step_seconds(state, schedule.trained(stage, alpha), trial, look) for alpha in alphas]
        images = schedule.trained(stage).minibatch * config.schedule.d_repeats
        found[stage.resolution] = sum(times) / len(times) / images
    return ranks.on_first(lambda: found)


def fastest_threads(config: RunConfig, schedule: Schedule, machine: Machine) -> int:
    """The number of CPU threads that currently trains fastest: all of them, half, or one (`threads` keeps it).

    All are best on a machine that does nothing else. Next to another busy process they can be ten times slower than
    one: they wait for each other after every operation, and so for any thread that has been suspended.
    """
    most = torch.get_num_threads()
    sizes = [stage for stage in schedule.stages if stage.resolution <= 32] or list(schedule.stages[:1])
    phase = schedule.trained(sizes[-1])
    state = TrainState(config, machine, keep=True)
    seconds = {}
    for threads in sorted({most, max(1, most // 2), 1}, reverse=True):
        torch.set_num_threads(threads)
        seconds[threads] = _step_seconds(state, phase, TrialSteps(state))
    torch.set_num_threads(most)
    return min(seconds, key=lambda threads: seconds[threads])


def kinds_of_steps(config: RunConfig, phase: Phase) -> list[tuple[int, float]]:
    """For each kind of step, a moment of the clock at which steps are of that kind, and its share of all steps.

    Among the `d_repeats` updates of D, some steps have one more with lazy penalties than others: those at 0 have it,
    those at the second minibatch do not. If all steps have equally many, there is one kind.
    """
    every = config.loss.every(phase.resolution)
    heavy = config.schedule.d_repeats % every / every
    return [(0, heavy), (phase.minibatch, 1 - heavy)] if heavy else [(0, 1.0)]


def _step_seconds(state: TrainState, phase: Phase, trial: TrialSteps, look: Callable[[], None] = lambda: None) -> float:
    """Mean seconds over a few steps of each kind, after one to warm up, or as many as it takes to record them."""
    mean = 0.0
    for nimg, share in kinds_of_steps(state.config, phase):
        look()
        try:
            mean += share * _seconds_at(nimg, state, phase, trial)
        except FloatingPointError as error:
            tried = f"in trial steps at {phase.resolution}x{phase.resolution}, {error}"
            raise state.ranks.raised_by_all(RunError(tried)) from error
    return mean


def _seconds_at(nimg: int, state: TrainState, phase: Phase, trial: TrialSteps) -> float:
    """Mean seconds over a few steps at the same moment of the clock."""
    for _ in range(max(1, state.passes.settling)):
        state.nimg = nimg
        train_step(state, phase, trial)
    synchronize(state.device)
    throttle = StepThrottle(state.device)
    began, steps = time.perf_counter(), 0
    while state.ranks.all_reduce_max(time.perf_counter() - began < MOST_SECONDS / 2)[0]:
        state.nimg = nimg
        train_step(state, phase, trial)
        throttle.step()
        steps += 1
    synchronize(state.device)
    return (time.perf_counter() - began) / steps
