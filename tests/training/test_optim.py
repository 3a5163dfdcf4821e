"""Adam against TensorFlow's formula, and the moving average of G."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import make_nets, make_spec

from growgan.core.config import OptimConfig, ScheduleConfig
from growgan.core.fields import per
from growgan.core.schedule import Phase, Schedule
from growgan.training.optim import Adam, average, ema_factor


def test_adam_is_tensorflows():
    """lr_t = lr sqrt(1 - b2^t) / (1 - b1^t); w -= lr_t m / (sqrt(v) + eps): epsilon on the uncorrected root."""
    config = OptimConfig(beta1=0.3, beta2=0.9, eps=1e-2)
    network = torch.nn.Linear(3, 2).double()
    adam = Adam(network, config)
    w = network.weight.detach().numpy().copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    random = np.random.RandomState(0)
    for t in range(1, 8):
        if t == 5:
            adam.forget()
            m, v = np.zeros_like(w), np.zeros_like(w)
        since = t if t < 5 else t - 4
        gradient = random.standard_normal(w.shape) * 0.01
        network.weight.grad = torch.from_numpy(gradient.copy())
        adam.step(0.05, 0.9)
        m, v = 0.3 * m + 0.7 * gradient, 0.9 * v + 0.1 * gradient**2
        w -= 0.05 * np.sqrt(1 - 0.9**since) / (1 - 0.3**since) * m / (np.sqrt(v) + 1e-2)
        np.testing.assert_allclose(network.weight.detach().numpy(), w, rtol=1e-10)
        assert network.weight.grad is None


def test_another_beta2_is_that_of_the_step():
    """As R3GAN sets it: the moment moves by the new one, and is corrected as if it always had been so."""
    network = torch.nn.Linear(1, 1, bias=False).double()
    adam, w, v = Adam(network, OptimConfig(beta2=0.5)), network.weight.item(), 0.0
    for t, beta2 in enumerate((0.5, 0.9, 0.99), start=1):
        network.weight.grad = torch.tensor([[float(t)]], dtype=torch.float64)
        adam.step(0.01, beta2)
        v = beta2 * v + (1 - beta2) * t**2
        w -= 0.01 * t / np.sqrt(v / (1 - beta2**t))
        assert network.weight.item() == pytest.approx(w, abs=1e-9)


def at(minibatch: int, progress: float = 0.0) -> Phase:
    schedule = Schedule(ScheduleConfig(minibatch=per(minibatch)), OptimConfig(), 8)
    return replace(schedule.at(0), progress=progress)


@pytest.mark.parametrize("gradients_lie", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weights_lie", [torch.contiguous_format, torch.channels_last])
def test_adam_does_the_same_however_weights_and_gradients_lie(
    weights_lie: torch.memory_format, gradients_lie: torch.memory_format
) -> None:
    def trained(network: torch.nn.Module, layout: torch.memory_format, resumed: bool) -> torch.Tensor:
        random = torch.Generator().manual_seed(1)
        adam = Adam(network, OptimConfig(beta1=0.5))
        for step in range(4):
            if resumed and step == 2:
                stored = {name: value.clone().contiguous() for name, value in adam.tensors().items()}
                assert stored["exp_avg.weight"].shape == network.weight.shape
                adam = Adam(network, OptimConfig(beta1=0.5))
                adam.restore(stored, 2)
            gradient = torch.randn(network.weight.shape, generator=random)
            network.weight.grad = gradient.contiguous(memory_format=layout)
            version = network.weight._version
            adam.step(0.1, 0.99)
            assert network.weight._version > version and network.weight.grad is None
        return network.weight.detach()

    network = torch.nn.Conv2d(5, 4, 3)
    other = copy.deepcopy(network).to(memory_format=weights_lie)
    expected = trained(network, torch.contiguous_format, resumed=False)
    torch.testing.assert_close(trained(other, gradients_lie, resumed=True), expected)


def test_layers_without_gradients_stand_still():
    network = torch.nn.Linear(3, 2)
    adam = Adam(network, OptimConfig())
    bias = network.bias.detach().clone()
    network.weight.grad = torch.ones_like(network.weight)
    adam.step(0.1, 0.99)
    assert torch.equal(network.bias, bias)


def test_half_life_is_the_same_for_every_minibatch():
    config = OptimConfig(ema_kimg=10)
    for minibatch in (4, 16, 128):
        assert ema_factor(config, at(minibatch), 0) ** (10_000 / minibatch) == pytest.approx(0.5)
    assert ema_factor(OptimConfig(), at(4), 0) == ema_factor(OptimConfig(), at(512), 0) == 0.999
    assert ema_factor(replace(config, ema_kimg=0.0), at(4), 0) == 0


def test_half_life_rises_with_the_images_shown():
    config = OptimConfig(ema_kimg=10, ema_rampup=0.05)
    assert ema_factor(config, at(16), 0) == 0
    assert ema_factor(config, at(500), 10_000) == pytest.approx(0.5)
    assert ema_factor(config, at(500), 200_000) == ema_factor(config, at(500), 10**6) == pytest.approx(0.5 ** (1 / 20))


def test_half_life_that_goes_from_its_start_to_its_end():
    config = OptimConfig(ema_kimg=0.0, ema_kimg_end=20)
    assert ema_factor(config, at(500), 10**6) == 0
    assert ema_factor(config, at(500, progress=0.25), 10**6) == pytest.approx(0.5 ** (500 / 5000))
    assert ema_factor(config, at(500, progress=1), 10**6, shortened=0.5) == pytest.approx(0.5 ** (500 / 10_000))


def test_average():
    ema, current = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 6.0])]
    average(ema, current, 0.75)
    torch.testing.assert_close(ema[0], torch.tensor([1.5, 3.0]))


def test_the_average_shows_what_it_has_become(monkeypatch):
    """Also where torch's own form does not count as a change, as on a GPU: kernels that are kept are made anew."""

    def uncounted(mine, others, share):
        for one, other in zip(mine, others):
            one.data.lerp_(other, share)

    monkeypatch.setattr(torch, "_foreach_lerp_", uncounted)
    G_ema, G = (make_nets(make_spec(), torch.float32)[0] for _ in range(2))
    with torch.no_grad():
        for parameter in G.parameters():
            parameter.add_(1)
        z = torch.randn(2, G.spec.z_size)
        before = G_ema(z)
        average(G_ema.parameters(), G.parameters(), 0.5)
        after = G_ema(z)
        assert not torch.equal(after, before)
        assert torch.equal(after, copy.deepcopy(G_ema)(z))
