"""The plan of a run: measured before a stage, on the disk before its first step, and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from growgan.core.config import ExecutionConfig
from growgan.core.plan import add_to_cache, cached_plan, read_plan, write_plan
from growgan.core.presets import preset
from growgan.core.runfiles import RunFiles
from growgan.core.schedule import Schedule
from growgan.devices import set_up
from growgan.training import fit_to_machine, threads
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState
from growgan.training.stop import Stop
from growgan.training.tuning import Tuning


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def started(folder: Path, measures: bool = True):
    """A run with layers that are worth measuring."""
    folder.mkdir(exist_ok=True)
    base = preset("tiny")
    network = replace(base.network, fmap_base=1024, fmap_max=64, resolution=16)
    config = replace(base, network=network, execution=ExecutionConfig(device="cpu", precision="float32", threads=1))
    machine, said = set_up(config.execution), []
    tuning = Tuning(RunFiles(folder), machine, said.append, measures)
    schedule = Schedule(config.schedule, config.optim, network.resolution)
    return tuning, TrainState(config, machine), schedule.trained(schedule.stages[-1], 0.5), said


def test_a_plan_is_measured_once_and_read_by_the_next_run(tmp_path: Path, cache: Path) -> None:
    tuning, state, phase, said = started(tmp_path / "a")
    before = {name: p.clone() for name, p in state.G.named_parameters()}
    tuning.prepare(state, phase)
    machine, choices = read_plan(tmp_path / "a" / "plan.json")
    assert machine == tuning.name and choices and choices == read_plan(cached_plan(machine))[1]
    assert all(key.split()[0] in ("forward", "inputs", "weights") for key in choices) and len(said) == 1
    assert all(p.grad is None and torch.equal(p, before[name]) for name, p in state.G.named_parameters())
    assert state.D.stage(16).conv0.convolution.plan is state.G_ema.stage(16).conv1.convolution.plan is tuning.plan
    again, state, phase, said = started(tmp_path / "b")
    again.prepare(state, phase)
    assert read_plan(tmp_path / "b" / "plan.json")[1] == choices and not said


def test_the_run_s_own_plan_comes_before_the_cache(tmp_path: Path, cache: Path) -> None:
    tuning, state, phase, _ = started(tmp_path / "a")
    tuning.prepare(state, phase)
    path = tmp_path / "a" / "plan.json"
    key, name = next((k, v) for k, v in tuning.plan.choices.items() if k.startswith("weights"))
    other = "taps" if name != "taps" else "direct"
    write_plan(path, tuning.name, {key: other})
    again, state, phase, _ = started(tmp_path / "a")
    again.prepare(state, phase)
    assert again.plan.choices[key] == other


def test_what_a_stage_follows_does_not_depend_on_what_else_is_known(tmp_path: Path, cache: Path) -> None:
    """Grids and measures have batches of other sizes: those of a run taken up later are to be the same too."""

    def followed(folder: str, *minibatches: int) -> list[dict[str, str]]:
        tuning, state, phase, _ = started(tmp_path / folder)
        found = []
        for minibatch in minibatches:
            tuning.prepare(state, replace(phase, minibatch=minibatch))
            found.append(dict(tuning.plan.choices))
        return found

    first, second = followed("a", 16, 4)
    assert first and second and not first.keys() & second.keys()
    assert followed("a", 16) == [first]  # taken up where it was before the other stage
    assert followed("b", 4, 16) == [second, first]  # another run, with all that in the cache


def test_every_process_s_share_is_measured(tmp_path: Path, cache: Path) -> None:
    tuning, state, phase, _ = started(tmp_path / "a")
    state.ranks = First(0, 2)
    tuning.prepare(state, replace(phase, minibatch=12))  # three groups of four
    assert {key.split()[1].split("x")[0] for key in tuning.plan.choices} >= {"8", "4"}


class First(Ranks):
    """The first of several processes that nobody else listens to."""

    def on_first(self, work):
        return work()


def test_another_machine_s_plan_is_measured_anew_and_said(tmp_path: Path, cache: Path) -> None:
    tuning, *_ = started(tmp_path / "a")
    write_plan(tmp_path / "a" / "plan.json", "an abacus", {"forward 1x1x1x1 1 float32": "beads"})
    tuning, _, _, said = started(tmp_path / "a")
    assert not tuning.known and "an abacus" in said[0]


def test_hours_are_measured_with_the_plan_that_the_run_uses(tmp_path: Path, cache: Path) -> None:
    tuning, state, _, said = started(tmp_path / "a")
    schedule = Schedule(state.config.schedule, state.config.optim, 16)
    machine = replace(set_up(state.config.execution), plan=tuning.plan)
    made = state.config, schedule, machine, ALONE, said.append
    fit_to_machine.scaled_to_hours(*made, tuning.prepare, 1.0, Stop())
    stored = read_plan(tmp_path / "a" / "plan.json")[1]
    assert stored and any("benchmarked" in line for line in said)
    again, state, phase, said = started(tmp_path / "a")
    again.prepare(state, phase)
    assert again.known == stored and not said


def test_threads_are_measured_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, _, _ = started(tmp_path / "a")
    schedule, machine = Schedule(state.config.schedule, state.config.optim, 16), set_up(state.config.execution)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    found = iter([2, 1, 3])
    monkeypatch.setattr(threads, "fastest_threads", lambda *given: next(found))
    assert [threads.settled_threads(state.config, schedule, machine) for _ in range(3)] == [2, 2, 2]
    other = replace(state.config, network=replace(state.config.network, fmap_base=512))
    assert threads.settled_threads(other, schedule, machine) == 1
    assert threads.settled_threads(state.config, schedule, machine) == 2
    (cache / "threads.json").write_text("[damaged")
    assert threads.settled_threads(state.config, schedule, machine) == 3


def test_a_plain_plan_measures_nothing(tmp_path: Path, cache: Path) -> None:
    tuning, state, phase, said = started(tmp_path / "a", measures=False)
    tuning.prepare(state, phase)
    assert not said and not cache.exists() and not (tmp_path / "a" / "plan.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"machine": "x"}', '{"machine": "x", "choices": 3}'])
def test_a_damaged_plan_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert read_plan(path) == ("", {})


def test_the_cache_keeps_what_it_has(tmp_path: Path, cache: Path) -> None:
    add_to_cache("here", {"a": "direct"})
    add_to_cache("here", {"a": "taps", "b": "taps"})
    assert json.loads(cached_plan("here").read_text())["choices"] == {"a": "direct", "b": "taps"}
    assert cached_plan("here") != cached_plan("there")


def test_planned_and_plain_losses_agree(tmp_path: Path, cache: Path) -> None:
    from growgan.training.trial_steps import TrialSteps

    tuning, state, phase, _ = started(tmp_path / "a")
    tuning.prepare(state, phase)
    planned = list(TrialSteps(state).d_losses(phase, 8))
    tuning.plan.choices = {}
    for one, other in zip(planned, TrialSteps(state).d_losses(phase, 8), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
