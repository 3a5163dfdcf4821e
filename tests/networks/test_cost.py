"""The counted costs, against the figures of the recipe and against what a step does in fact."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from growgan.bench.count import count
from growgan.core.config import ExecutionConfig, LossConfig, NetworkSpec
from growgan.core.fields import per
from growgan.core.presets import preset
from growgan.core.schedule import Schedule
from growgan.devices import set_up
from growgan.networks import cost, layers, resample
from growgan.training.state import TrainState
from growgan.training.step import train_step
from growgan.training.trial_steps import TrialSteps


@pytest.mark.parametrize(
    ("base", "most", "size", "g_plain", "g_fused", "step_plain", "step_fused"),
    [
        (8192, 512, 8, 0.69, 0.52, 12.4, 9.4),
        (8192, 512, 32, 12.8, 9.25, 230, 166),
        (8192, 512, 1024, 85.4, 55.0, 1536, 990),
        (4096, 256, 128, 10.5, 6.88, 188, 124),
        (1024, 128, 64, 0.65, 0.43, 11.7, 7.7),
    ],
)
def test_figures_worked_out_by_hand(
    base: int, most: int, size: int, g_plain: float, g_fused: float, step_plain: float, step_fused: float
) -> None:
    spec = NetworkSpec(resolution=size, fmap_base=base, fmap_max=most, d_down="pool_act")
    found = [
        cost.generator_flops(spec, size),
        cost.generator_flops(spec, size, fused=True),
        cost.step_flops(spec, size),
        cost.step_flops(spec, size, fused=True),
    ]
    assert found == pytest.approx([v * 1e9 for v in (g_plain, g_fused, step_plain, step_fused)], rel=0.01)


def test_a_d_that_activates_before_it_pools_cannot_be_fused() -> None:
    spec = NetworkSpec(resolution=64, d_down="act_pool")
    assert cost.discriminator_flops(spec, 64, fused=True) == cost.discriminator_flops(spec, 64)
    assert cost.generator_flops(spec, 64, fused=True) < cost.generator_flops(spec, 64)


@pytest.mark.parametrize(
    ("loss", "d_repeats"),
    [
        (LossConfig(), 1),
        (LossConfig(), 2),
        (LossConfig(name="logistic"), 1),
        (LossConfig(name="logistic", r1_gamma=per(0)), 1),
        (LossConfig(name="lsgan"), 1),
        (LossConfig(name="logistic", r2_gamma=per(1)), 1),
        (LossConfig(name="relativistic"), 1),
        (LossConfig(name="relativistic", r2_gamma=per(0)), 1),
    ],
)
def test_a_plain_step_does_what_is_counted(loss: LossConfig, d_repeats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(monkeypatch)
    base = preset("paper")
    config = dataclasses.replace(
        base,
        network=NetworkSpec(resolution=32, fmap_base=1024, fmap_max=64),
        loss=loss,
        schedule=dataclasses.replace(base.schedule, minibatch=per(4), d_repeats=d_repeats),
        execution=ExecutionConfig(device="cpu", precision="float32"),
    )
    state = TrainState(config, set_up(config.execution), keep=True)
    schedule = Schedule(config.schedule, config.optim, 32)
    phase = schedule.trained(schedule.stages[-1])
    done = count(lambda: train_step(state, phase, TrialSteps(state))).flops / phase.minibatch
    # What is left out is small: an image's gradient that nobody asks for, 1x1 layers' odds and ends.
    assert done == pytest.approx(cost.step_flops(config.network, 32, loss, d_repeats), rel=0.01)


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolve as the formulas say: by PyTorch's own convolution and its derivatives, no resampling fused."""

    def convolve(self: layers.Conv, x: torch.Tensor) -> torch.Tensor:
        weight = self.scaled_weight()
        x = resample.upscale(x) if self.resample == "up" else x
        y = torch.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2)
        return resample.downscale(y) if self.resample == "down" else y

    monkeypatch.setattr(layers.Conv, "forward", convolve)


def test_a_count_of_known_work() -> None:
    layer, x = nn.Linear(8, 16), torch.zeros(4, 8)
    with torch.no_grad():
        counts = count(lambda: layer(x))
    assert counts.flops == 2 * 4 * 8 * 16
    assert counts.operations == 1  # the bias is added by the same operation; the weight's transpose is a view
    assert counts.bytes == 4 * (4 * 8 + 8 * 16 + 16 + 4 * 16)
