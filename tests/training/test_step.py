"""The training step: its order, what it touches, and that its parts add up to the whole."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from training.making import RECIPES, begin, half_and_half, recipe, small

from growgan.core.fields import per
from growgan.devices import Machine
from growgan.training.state import TrainState
from growgan.training.step import d_step, g_step, train_step


def steps_without_moving(config, pictures, labels, fading_at: int, n: int):
    """Gradients of D's and of G's weights, and all stats, of a D step and a G step in which neither moves."""
    state, schedule, feed = begin(config, pictures, labels)
    phase = replace(schedule.at(fading_at), minibatch=n)
    assert phase.fading
    gradients = {}

    def note(name, network):
        def step(lr, beta2):
            for path, parameter in network.named_parameters():
                if parameter.grad is not None:
                    gradients[name, path] = parameter.grad.clone()
            network.zero_grad()

        return step

    state.opt_D.step, state.opt_G.step = note("D", state.D), note("G", state.G)
    reals, some = feed.reals(0, phase)
    stats = d_step(state, phase, reals, some) | g_step(state, phase, feed, reals)
    return gradients, stats


def test_average_takes_G_before_its_update_and_G_stands_still_in_the_D_step():
    state, schedule, feed = begin(small(), half_and_half())
    state.config = replace(state.config, optim=replace(state.config.optim, ema_kimg=None, ema_factor=0.75))
    for parameter in state.G_ema.parameters():
        parameter.data.fill_(1.0)
    before = {name: p.clone() for name, p in state.G.named_parameters()}
    train_step(state, schedule.at(0), feed)
    for name, average in state.G_ema.named_parameters():
        torch.testing.assert_close(average, 0.75 + 0.25 * before[name])
    assert any(not torch.equal(p, before[name]) for name, p in state.G.named_parameters())
    assert state.nimg == 4


def test_D_is_updated_d_repeats_times_and_the_clock_counts_its_reals():
    state, schedule, feed = begin(small(d_repeats=3), half_and_half())
    train_step(state, schedule.at(0), feed)
    assert state.nimg == 12
    assert (state.opt_D.steps, state.opt_G.steps) == (3, 1)


def test_G_step_leaves_D_without_gradients_and_trainable():
    state, schedule, feed = begin(small(), half_and_half())
    before = {name: p.clone() for name, p in state.D.named_parameters()}
    phase = schedule.at(0)
    g_step(state, phase, feed, feed.reals(0, phase)[0])
    assert all(p.grad is None and p.requires_grad for p in state.D.parameters())
    assert all(torch.equal(p, before[name]) for name, p in state.D.named_parameters())


def test_stages_not_reached_are_not_touched():
    state, schedule, feed = begin(small(resolution=16), half_and_half(size=16))
    before = {name: p.clone() for name, p in state.G.named_parameters()}
    train_step(state, schedule.at(0), feed)
    for name, parameter in state.G.named_parameters():
        assert torch.equal(parameter, before[name]) == (not name.startswith("4x4"))


@pytest.mark.parametrize(("n", "most"), [(8, 4), (12, 8), (14, 10), (6, 1)])
@pytest.mark.parametrize("name", RECIPES)
def test_microbatches_give_the_gradients_of_the_whole(n, most, name):
    config = recipe(small(minibatch=per(n)), name)
    config = replace(
        config,
        network=replace(config.network, stddev_group=4, num_labels=3),
        execution=replace(config.execution, precision="float64"),
    )
    labels = np.arange(64) % 3
    whole, whole_figures = steps_without_moving(config, half_and_half(), labels, 60, n)
    config = replace(config, execution=replace(config.execution, microbatch=most))
    parts, parts_figures = steps_without_moving(config, half_and_half(), labels, 60, n)
    assert whole.keys() == parts.keys()
    assert whole_figures.keys() == parts_figures.keys()
    for key in whole:
        torch.testing.assert_close(parts[key], whole[key], rtol=1e-9, atol=1e-11)
    for key in whole_figures:
        torch.testing.assert_close(parts_figures[key], whole_figures[key], rtol=1e-9, atol=1e-11)


def test_a_loss_that_is_not_finite_is_refused_by_name_before_anything_moves():
    state, schedule, feed = begin(small(), half_and_half())
    with torch.no_grad():
        next(state.D.parameters()).fill_(float("nan"))
    before = {name: p.clone() for name, p in state.G.named_parameters()}
    with pytest.raises(FloatingPointError, match=r"loss of D is not finite: .*wasserstein nan"):
        train_step(state, schedule.at(0), feed)
    assert state.opt_D.steps == 0
    assert all(torch.equal(p, before[name]) for name, p in state.G.named_parameters())


def test_reals_are_mirrored_and_faded_like_the_fakes():
    config = small()
    pictures = np.zeros((64, 3, 8, 8), dtype=np.uint8)
    pictures[..., :2] = 255  # left edge
    _, schedule, feed = begin(config, pictures)
    phase = schedule.at(50)
    assert phase.resolution == 8
    assert 0 < phase.alpha < 1
    x, _ = feed.reals(0, replace(phase, minibatch=64))
    left, right = (x[:, 0, 0, 0] > 0).sum(), (x[:, 0, 0, -1] > 0).sum()
    assert left + right == 64
    assert 16 < left < 48
    plain = 2 * pictures[:1].astype(np.float32) / 255 - 1
    small_ = plain.reshape(1, 3, 4, 2, 4, 2).mean((3, 5)).repeat(2, 2).repeat(2, 3)
    expected = small_ + phase.alpha * (plain - small_)
    index = int((x[:, 0, 0, 0] > 0).nonzero()[0])
    np.testing.assert_allclose(x[index : index + 1].numpy(), expected, atol=1e-5)


def test_a_lazy_penalty_is_taken_in_one_update_of_each_interval():
    config = small()
    config = replace(config, loss=replace(config.loss, name="logistic", r1_gamma=per(10, {4: 0}), r1_interval=4))
    state, schedule, feed = begin(config, half_and_half())
    penalties = []
    for phase in (replace(schedule.at(0), resolution=size, alpha=1.0) for size in (4, 8)):
        for state.nimg in range(8, 44, 4):  # of a minibatch of 4, the update with number 2 and so on
            penalties.append(d_step(state, phase, *feed.reals(state.nimg, phase)).get("D/r1"))
    assert penalties[:9] == [None] * 9
    assert [value > 0 for value in penalties[9:]] == [False, False, True, False, False, False, True, False, False]


def test_weights_that_somebody_else_updates_are_the_ones_that_count():
    """A fused Adam and `.data` do not bump a weight's version: a state keeps nothing made from it unless told to."""
    config = small(resolution=8)
    state = TrainState(config, Machine(torch.device("cpu")))
    z = torch.randn(2, config.network.z_size, generator=torch.Generator().manual_seed(0))
    before = state.G(z, None, 8).detach()
    for weight in state.G.parameters():
        weight.data.mul_(1.5)
    after = state.G(z, None, 8).detach()
    assert not torch.allclose(after, before, atol=1e-3)
    torch.testing.assert_close(copy.deepcopy(state.G)(z, None, 8).detach(), after)
