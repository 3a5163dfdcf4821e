"""Steps on made-up pictures stand for those of a run: as heavy, as often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import pytest
from training.making import begin, half_and_half, small

from growgan.core.config import RunConfig
from growgan.core.fields import per
from growgan.losses.zero_centred import ZeroCentred
from growgan.training.step import d_pass, train_step
from growgan.training.trial_steps import TrialSteps, kinds_of_steps


def lazy(every: int, d_repeats: int = 1, loss: str = "logistic") -> RunConfig:
    config = small(d_repeats=d_repeats)
    return replace(config, loss=replace(config.loss, name=loss, r1_interval=every))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each batch of images that a penalty may look at, whether it does."""
    found: list[bool] = []
    watched = ZeroCentred.watched

    def watching(self, images, names, at):
        images = watched(self, images, names, at)
        if "r1" in names:
            found.append(images.requires_grad)
        return images

    monkeypatch.setattr(ZeroCentred, "watched", watching)
    return found


@pytest.mark.parametrize(("every", "d_repeats"), [(1, 1), (4, 1), (4, 2), (3, 2), (2, 3), (2, 2), (1, 2)])
def test_lazy_penalties_count_as_often_as_they_come(every: int, d_repeats: int, taken: list[bool]) -> None:
    state, schedule, _ = begin(lazy(every, d_repeats), half_and_half())
    phase, feed = schedule.trained(schedule.stages[-1]), TrialSteps(state)
    for _ in range(every):
        train_step(state, phase, feed)
    in_a_run = sum(taken) / every
    expected = 0.0
    for nimg, share in kinds_of_steps(state.config, phase):
        taken.clear()
        state.nimg = nimg
        train_step(state, phase, feed)
        expected += share * sum(taken)
    assert expected == pytest.approx(in_a_run) == d_repeats / every


@pytest.mark.parametrize("change", [{"name": "wgan_gp"}, {"name": "lsgan"}, {"r1_gamma": per(0)}])
def test_steps_are_of_one_kind_where_no_penalty_is_lazy(change: dict[str, Any]) -> None:
    config = lazy(16)
    config = replace(config, loss=replace(config.loss, **change))
    state, schedule, _ = begin(config, half_and_half())
    phase = schedule.trained(schedule.stages[-1])
    assert kinds_of_steps(config, phase) == [(0, 1.0)]
    passes = state.passes = MagicMock(wraps=state.passes)
    for _ in range(3):
        train_step(state, phase, TrialSteps(state))
    assert len({call.kwargs["lazy"] for call in passes.run.call_args_list if call.args[0] is d_pass}) == 1


@pytest.mark.parametrize("loss", ["logistic", "relativistic"])
def test_what_is_worked_out_beforehand_is_with_the_penalties_and_without(loss: str, taken: list[bool]) -> None:
    state, schedule, _ = begin(lazy(16, loss=loss), half_and_half())
    phase = schedule.trained(schedule.stages[-1])
    state.nimg = 7 * phase.minibatch
    for total in TrialSteps(state).d_losses(phase, phase.minibatch):
        total.backward()
    assert taken == [True, False]
