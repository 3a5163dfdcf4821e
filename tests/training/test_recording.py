"""Passes that are recorded do what those do that are not, step by step.

On a processor a recording is the pass itself, run again on its placed inputs: what it would have taken from the moment
it was recorded at shows as well. On a CUDA GPU it is the real one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from training.making import RECIPES, Memory, half_and_half, recipe, small

from growgan.core.config import RunConfig
from growgan.core.fields import per
from growgan.core.schedule import Schedule
from growgan.devices import Machine
from growgan.training.feed import Feed
from growgan.training.recording import WARM_UP, Passes, recorder
from growgan.training.state import TrainState
from growgan.training.step import train_step

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
LABELS = np.arange(64) % 3


def run_again(work: Callable[[], None]) -> Callable[[], None]:
    """Stands in for a recording."""
    work()
    return work


def config_of(name: str) -> RunConfig:
    """A run of a recipe with a fade, classes, mirroring and micro-batches."""
    config = recipe(small(minibatch=per(8)), name)
    return replace(
        config,
        network=replace(config.network, num_labels=3),
        data=replace(config.data, mirror=True),
        execution=replace(config.execution, microbatch=4, precision="float64"),
    )


def steps(
    config: RunConfig, machine: Machine, count: int, passes: Passes
) -> tuple[TrainState, list[dict[str, Tensor]]]:
    """That many steps: half of them fade, and the rest do not."""
    state = TrainState(config, machine)
    state.passes = passes
    feed = Feed(Memory(half_and_half(), LABELS), LABELS, config, machine)
    schedule = Schedule(config.schedule, config.optim, 8)
    figures = []
    for i in range(count):
        alpha = min(1.0, 2 * (i + 1) / count)
        phase = replace(schedule.trained(schedule.stages[-1], alpha), late=i / count)
        figures.append(train_step(state, phase, feed))
    return state, figures


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", RECIPES)
def test_recorded_passes_train_as_written_ones_do(name: str, device: str) -> None:
    machine, config = Machine(torch.device(device), dtype=torch.float64), config_of(name)
    count = 40
    expected, by_hand = steps(config, machine, count, Passes())
    found, by_replay = steps(config, machine, count, Passes(recorder(machine.device) or (lambda: run_again)))
    for one, other in zip(by_hand, by_replay, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            torch.testing.assert_close(other[key], one[key], rtol=1e-6, atol=1e-8, msg=key)
    for key, value in expected.tensors().items():
        torch.testing.assert_close(found.tensors()[key], value, rtol=1e-6, atol=1e-8, msg=key)


def test_a_pass_is_recorded_once_a_stage_and_kind() -> None:
    config = config_of("logistic")
    config = replace(config, loss=replace(config.loss, r1_interval=4))
    recorded = 0

    def count(work: Callable[[], None]) -> Callable[[], None]:
        nonlocal recorded
        recorded += 1
        return run_again(work)

    steps(config, Machine(torch.device("cpu")), 4 * 2 * (WARM_UP + 2), Passes(lambda: count))
    assert recorded == 6, "D's with R1 and without, and G's: while it fades, and after"


def test_figures_and_gradients_of_a_step_stay_when_the_next_one_is_done() -> None:
    """Though a recording writes to the same places every time."""
    _, figures = steps(config_of("logistic"), Machine(torch.device("cpu")), 20, Passes(lambda: run_again))
    losses = [float(step["D/loss"]) for step in figures]
    assert len(set(losses)) == len(losses)


def test_what_cannot_be_recorded_is_done_as_it_is_written() -> None:
    def refuse(work: Callable[[], None]) -> Callable[[], None]:
        work()
        raise RuntimeError("out of memory")

    config, machine = config_of("logistic"), Machine(torch.device("cpu"), dtype=torch.float64)
    with pytest.warns(UserWarning, match="cannot be recorded.*out of memory"):
        found, _ = steps(config, machine, 12, Passes(lambda: refuse))
    with warnings.catch_warnings(action="error"):
        expected, _ = steps(config, machine, 12, Passes())
    for key, value in expected.tensors().items():
        assert torch.equal(found.tensors()[key], value), key


def test_a_state_that_is_restored_is_recorded_anew() -> None:
    config, machine = config_of("logistic"), Machine(torch.device("cpu"), dtype=torch.float64)
    state, _ = steps(config, machine, 12, Passes(lambda: run_again))
    other, _ = steps(config, machine, 6, Passes(lambda: run_again))
    other.restore({key: value.clone() for key, value in state.tensors().items()}, state.counters())
    feed = Feed(Memory(half_and_half(), LABELS), LABELS, config, machine)
    schedule = Schedule(config.schedule, config.optim, 8)
    for _ in range(4):
        for one in (state, other):
            train_step(one, schedule.trained(schedule.stages[-1]), feed)
    for key, value in state.tensors().items():
        assert torch.equal(other.tensors()[key], value), key
