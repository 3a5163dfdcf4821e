"""Frozen stages of D (Mo, Cho and Shin 2020, "Freeze the Discriminator", arXiv 2002.10964).

Their method: the layers of D nearest to the image, fromRGB included, keep the weights they came with; the others, up to
the last dense layer, and all of G are trained as ever.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from training.making import Quiet, begin, half_and_half, small

from growgan.core.config import StartConfig
from growgan.core.errors import ConfigError
from growgan.core.fields import per
from growgan.losses import LOSSES
from growgan.training.loop import train
from growgan.training.step import d_step, g_step
from growgan.training.stop import Stop


def settings(freeze: int, loss: str = "wgan_gp", top: int = 16, **schedule):
    start = StartConfig(model="faces", resolution=top, freeze_d=freeze)
    config = small(resolution=16, initial_resolution=16, **schedule)
    return replace(config, start=start, loss=replace(config.loss, name=loss))


def one_step(freeze: int, loss: str) -> dict[str, dict[str, torch.Tensor]]:
    """Gradients of a step of D and one of G in which neither moves, by network and name."""
    state, schedule, feed = begin(settings(freeze, loss), half_and_half(size=16))
    found: dict[str, dict[str, torch.Tensor]] = {}

    def note(name, network):
        def step(lr, beta2):
            found[name] = {k: p.grad.clone() for k, p in network.named_parameters() if p.grad is not None}
            network.zero_grad(set_to_none=True)

        return step

    state.opt_D.step, state.opt_G.step = note("D", state.D), note("G", state.G)
    phase = schedule.trained(schedule.stages[-1], 0.5)
    reals, labels = feed.reals(0, phase)
    d_step(state, phase, reals, labels)
    g_step(state, phase, feed, reals)
    return found


@pytest.mark.parametrize("loss", LOSSES)
def test_the_other_layers_and_g_get_the_gradients_that_they_always_get(loss):
    whole, frozen = one_step(0, loss), one_step(1, loss)
    kept = {name for name in whole["D"] if not name.startswith("16x16.")}
    assert frozen["D"].keys() == kept < whole["D"].keys()
    assert "8x8.fromrgb.weight" in kept and "16x16.fromrgb.weight" in whole["D"]
    for name in kept:
        torch.testing.assert_close(frozen["D"][name], whole["D"][name])
    assert frozen["G"].keys() == whole["G"].keys()
    for name, gradient in whole["G"].items():
        assert gradient.any()
        torch.testing.assert_close(frozen["G"][name], gradient)


@pytest.mark.parametrize(("freeze", "still"), [(0, ()), (1, ("16x16",)), (2, ("16x16", "8x8"))])
def test_a_run_moves_all_but_the_frozen_stages_and_adam_knows_nothing_of_them(freeze, still):
    state, schedule, feed = begin(settings(freeze), half_and_half(size=16))
    before = {name: value.clone() for name, value in state.D.state_dict().items()}
    g_before = {name: value.clone() for name, value in state.G.state_dict().items()}
    assert train(state, schedule, feed, Quiet(), Stop())
    for name, value in state.D.state_dict().items():
        at_work = name.partition(".")[0] not in still and (".fromrgb" not in name or name.startswith("16x16"))
        assert torch.equal(value, before[name]) != at_work, name
        assert (f"exp_avg_sq.{name}" in state.opt_D.tensors()) == at_work
    moved = {name for name, value in state.G.state_dict().items() if not torch.equal(value, g_before[name])}
    assert moved == {name for name in g_before if ".torgb" not in name or name.startswith("16x16")}


def test_what_is_frozen_is_of_what_was_taken_over():
    """While D grows on, its new stages learn; those that it came with stand still."""
    config = settings(1, top=8)
    state, _, _ = begin(config, half_and_half(size=16))
    still = {name.partition(".")[0] for name, p in state.D.named_parameters() if not p.requires_grad}
    assert still == {"8x8"} and config.start.frozen == (8,)
    assert StartConfig(resolution=32, freeze_d=3).frozen == (32, 16, 8)
    assert StartConfig(resolution=32).frozen == StartConfig().frozen == ()


@pytest.mark.parametrize(("resolution", "freeze"), [(16, 3), (4, 1), (None, 1), (16, -1)])
def test_the_last_stage_has_to_learn(resolution, freeze):
    with pytest.raises(ConfigError, match="--freeze-d"):
        StartConfig(resolution=resolution, freeze_d=freeze)


def test_a_frozen_run_goes_on_bit_for_bit():
    config = settings(1, total_kimg=0.048, minibatch=per(4))
    whole, schedule, feed = begin(config, half_and_half(size=16))
    assert train(whole, schedule, feed, Quiet(), Stop())

    class Once(Quiet):
        def after_step(self, state, phase, stats, seconds):
            stop.asked = 15 if state.nimg == 20 else None

    first, schedule, feed = begin(config, half_and_half(size=16))
    stop = Stop()
    train(first, schedule, feed, Once(), stop)
    assert 0 < first.nimg < whole.nimg
    second, schedule, feed = begin(config, half_and_half(size=16))
    second.restore(first.tensors(), first.counters())
    assert train(second, schedule, feed, Quiet(), Stop())
    wanted = whole.tensors()
    assert second.tensors().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in second.tensors().items())
