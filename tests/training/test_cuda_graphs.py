"""Passes that are recorded do what those do that are not, step by step.

On a processor a tape stands in for a CUDA graph: it does the same operations again on the same tensors, so that
whatever was no tensor when it was recorded, or is another one by now, stays as it was. On a CUDA GPU it is the graph.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training.making import RECIPES, Memory, half_and_half, recipe, small

from growgan.core.config import RunConfig
from growgan.core.fields import per
from growgan.core.schedule import Phase, Schedule
from growgan.data.sampler import Loader, Sampler
from growgan.devices import Machine
from growgan.training.cuda_graphs import WARM_UP, Passes, StepInputs, recorder
from growgan.training.feed import Feed
from growgan.training.resident import Resident
from growgan.training.state import TrainState
from growgan.training.step import d_pass, train_step
from growgan.training.stop import Stop

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
LABELS = np.arange(64) % 3


class Tape(TorchDispatchMode):
    """Notes operations, what they were given, and what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out


def taped(work: Callable[[], None]) -> Callable[[], None]:
    """A recording: the operations of some work again, on the same tensors, into the same tensors."""
    with Tape() as tape:
        work()

    @torch.no_grad()
    def again() -> None:
        for func, args, kwargs, out in tape.calls:
            made = func(*args, **kwargs)
            if any(returned.alias_info for returned in func._schema.returns):
                continue  # a view, or changed in its place
            for place, value in zip(tree_leaves(out), tree_leaves(made), strict=True):
                if isinstance(place, Tensor):
                    place.copy_(value)

    return again


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
    state = TrainState(config, machine, keep=True)
    state.passes = passes
    if "d" in state.loss.state:  # LSGAN's noise, which comes late, from the start
        state.loss.state["d"].fill_(0.9)
    feed = Feed(Memory(half_and_half(), LABELS), LABELS, config, machine)
    schedule = Schedule(config.schedule, config.optim, 8)
    stats = []
    for i in range(count):
        alpha = min(1.0, 2 * (i + 1) / count)
        phase = replace(schedule.trained(schedule.stages[-1], alpha), progress=i / count)
        stats.append(train_step(state, phase, feed))
    return state, stats


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", RECIPES)
def test_recorded_passes_train_as_written_ones_do(name: str, device: str) -> None:
    machine, config = Machine(torch.device(device), dtype=torch.float64), config_of(name)
    count = 40
    expected, by_hand = steps(config, machine, count, Passes())
    found, by_replay = steps(config, machine, count, Passes(recorder(machine.device) or (lambda: taped)))
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
        return taped(work)

    steps(config, Machine(torch.device("cpu")), 4 * 2 * (WARM_UP + 2), Passes(lambda: count))
    assert recorded == 6, "D's with R1 and without, and G's: while it fades, and after"


def test_figures_of_a_step_stay_when_the_next_one_is_done() -> None:
    """Though a recording writes to the same places every time."""
    machine, config = Machine(torch.device("cpu"), dtype=torch.float64), config_of("logistic")
    _, stats = steps(config, machine, 20, Passes(lambda: taped))
    kept = [{key: float(value) for key, value in step.items()} for step in stats]
    _, by_hand = steps(config, machine, 20, Passes())
    for step, expected in zip(kept, by_hand, strict=True):
        assert step == pytest.approx({key: float(value) for key, value in expected.items()}, rel=1e-6, abs=1e-8)


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
    config, machine = config_of("augmented"), Machine(torch.device("cpu"), dtype=torch.float64)
    state, _ = steps(config, machine, 20, Passes(lambda: taped))
    other, _ = steps(config, machine, 10, Passes(lambda: taped))
    other.restore({key: value.clone() for key, value in state.tensors().items()}, state.counters())
    feed = Feed(Memory(half_and_half(), LABELS), LABELS, config, machine)
    schedule = Schedule(config.schedule, config.optim, 8)
    for _ in range(8):
        for one in (state, other):
            train_step(one, schedule.trained(schedule.stages[-1]), feed)
    for key, value in state.tensors().items():
        torch.testing.assert_close(other.tensors()[key], value, rtol=1e-9, atol=1e-12, msg=key)


def test_a_pass_broken_off_holds_nothing_when_it_is_done_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the memory that was short is short again."""
    made: list[weakref.ref[Kept]] = []
    alive: list[bool] = []

    def refuse(work: Callable[[], None]) -> Callable[[], None]:
        kept = Kept()
        made.append(weakref.ref(kept))
        work()
        raise RuntimeError("out of memory")

    def watched(*given: Any) -> dict[str, Tensor]:
        alive.extend(ref() is not None for ref in made)
        return d_pass(*given)

    monkeypatch.setattr("growgan.training.step.d_pass", watched)
    with pytest.warns(UserWarning, match="cannot be recorded"):
        steps(config_of("logistic"), Machine(torch.device("cpu"), dtype=torch.float64), 6, Passes(lambda: refuse))
    assert len(made) == 1 and alive[0], "while it is recorded"
    assert alive[1:] and not any(alive[1:]), "when it is done as it is written"


class Kept:
    """Stands for what a pass has made."""


@pytest.mark.parametrize("recorded", [False, True])
def test_memory_that_runs_out_while_a_pass_warms_up(recorded: bool) -> None:
    """What recordings hold is let go of, and the pass is done; without recordings there is nothing to let go of."""
    config, machine = config_of("logistic"), Machine(torch.device("cpu"), dtype=torch.float64)
    state, _ = steps(config, machine, 8 if recorded else 0, Passes(lambda: taped))
    phase = Schedule(config.schedule, config.optim, 8)
    feed = Feed(Memory(half_and_half(), LABELS), LABELS, config, machine)
    phase = phase.trained(phase.stages[-1])
    if recorded:
        for _ in range(WARM_UP + 1):
            train_step(state, phase, feed)
    times = 0

    def short(*given: Any) -> dict[str, Tensor]:
        nonlocal times
        times += 1
        if times == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")
        return d_pass(*given)

    reals, labels = feed.reals(state.nimg, phase)
    given = StepInputs(phase, state.draws("D", phase), reals, labels)
    if recorded:
        with pytest.warns(UserWarning, match="cannot be recorded.*CUDA out of memory; use"):
            assert state.passes.run(short, state, given)
        assert times == 2 and state.passes.settling == 0
    else:
        with pytest.raises(torch.OutOfMemoryError):
            state.passes.run(short, state, given)


def test_recordings_are_let_go_of_before_pictures_of_another_size_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    config, machine = config_of("logistic"), Machine(torch.device("cpu"))
    state, _ = steps(config, machine, 20, Passes(lambda: taped))
    assert state.passes._kinds
    config = replace(config, execution=replace(config.execution, resident="always"))
    held: list[int] = []
    monkeypatch.setattr(Resident, "_fetch", lambda self, state, phase: held.append(len(state.passes._kinds)))
    with Loader(cast(Any, None), Sampler(64, 1)) as loader:
        Resident(loader, config, machine, print, Stop()).prepare(state, begin_phase(config))
    assert held == [0]


def begin_phase(config: RunConfig) -> Phase:
    """The first moment of a run."""
    return Schedule(config.schedule, config.optim, 8).at(0)
