"""bfloat16 convolutions: near the float32 step, with everything that is kept still in float32."""

from __future__ import annotations

import pytest
import torch
from training.making import half_and_half, small

from growgan import devices
from growgan.core.schedule import Schedule
from growgan.devices import Machine, set_up
from growgan.training.state import TrainState
from growgan.training.step import d_step
from growgan.training.trial_steps import TrialSteps

CPU = torch.device("cpu")


def gradients(compute):
    config = small(resolution=8)
    state = TrainState(config, Machine(CPU, compute=compute))
    phase = Schedule(config.schedule, config.optim, 8).at(60)
    reals = torch.from_numpy(half_and_half(4)).float() / 127.5 - 1
    kept = {}
    state.opt_D.step = lambda lr, beta2: kept.update(
        {k: p.grad for k, p in state.D.named_parameters() if p.grad is not None}
    )
    return d_step(state, phase, reals, None), kept


def test_step_is_near_the_float32_one():
    stats, grads = gradients(None)
    low_stats, low_grads = gradients(torch.bfloat16)
    assert torch.equal(low_stats["D/loss"], low_stats["D/loss"].float())
    assert abs(low_stats["D/loss"] - stats["D/loss"]) < 0.02 * abs(stats["D/loss"])
    flat, low = (torch.cat([g[k].flatten() for k in grads]) for g in (grads, low_grads))
    assert low.dtype == torch.float32
    assert not torch.equal(flat, low)  # else it was not done in bfloat16
    assert torch.nn.functional.cosine_similarity(flat, low, dim=0) > 0.995


def test_weights_moments_and_averages_stay_float32():
    config = small(resolution=8)
    state = TrainState(config, Machine(CPU, compute=torch.bfloat16))
    phase = Schedule(config.schedule, config.optim, 8).at(60)
    d_step(state, phase, *TrialSteps(state).reals(0, phase))
    assert {value.dtype for value in state.tensors().values()} == {torch.float32}


@pytest.mark.parametrize(("fast", "compute"), [(True, torch.bfloat16), (False, None)])
def test_auto_takes_bfloat16_only_where_it_has_units(fast, compute, monkeypatch):
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda device: fast)
    chosen = set_up(small().execution)
    assert (chosen.compute, chosen.dtype) == (compute, torch.float32)
