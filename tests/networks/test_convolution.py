"""Every algorithm of every product against the plain form and PyTorch's own gradients, twice differentiated."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from making import make_nets, make_spec, normal
from torch import Tensor
from torch.nn import functional as F

import growgan
from growgan.core.config import OptimConfig
from growgan.core.plan import Plan
from growgan.models.native import save_model
from growgan.networks import algorithms, layers, resample, winograd
from growgan.networks.convolution import Algorithm, Convolution
from growgan.training.optim import Adam

CLOSE = {"rtol": 1e-10, "atol": 1e-11}


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def up(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return plain(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, bias)


def down(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y = plain(x, weight, bias)
    return (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4


CASES = {
    "direct": (algorithms.DIRECT, plain),
    "channels first": (algorithms.FIRST, plain),
    "taps": (algorithms.IM2COL, plain),
    "winograd 2": (algorithms.F2, plain),
    "winograd 4": (algorithms.F4, plain),
    "up": (algorithms.UP["direct"], up),
    "wide up": (algorithms.WIDE_UP["wide"], up),
    "wide down": (algorithms.WIDE_DOWN["wide"], down),
    "up taps": (algorithms.UP_IM2COL["taps"], up),
    "down": (algorithms.DOWN["direct"], down),
    "down taps": (algorithms.DOWN_IM2COL["taps"], down),
}


def all_gradients(call: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Output, first gradients, and what a penalty on each of them adds."""
    y = layers.leaky(call(x, weight, bias))  # which works in place
    toward = normal(*y.shape, seed=9).to(y)
    first = torch.autograd.grad((y.tanh() * toward).sum(), (x, weight, bias), create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, weight, bias))
    return [y, *first, *second]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("size", "inputs"), [(4, 3), (8, 17), (12, 16)])
@pytest.mark.parametrize("name", list(CASES))
def test_output_and_gradients_are_those_of_the_plain_form(
    name: str, size: int, inputs: int, layout: torch.memory_format
) -> None:
    algorithm, form = CASES[name]
    scale = 0.7
    x = normal(3, inputs, size, size, seed=1).contiguous(memory_format=layout).requires_grad_()
    weight = torch.nn.Parameter((normal(5, inputs, 3, 3, seed=2) / inputs).contiguous(memory_format=layout))
    bias = torch.nn.Parameter(normal(5, seed=3))
    ours = Convolution(lambda *shapes: {"only": algorithm}, scale)
    expected = all_gradients(lambda x, w, b: form(x, scale * w, b), x, weight, bias)
    for found, right in zip(all_gradients(ours, x, weight, bias), expected, strict=True):
        assert found.shape == right.shape
        torch.testing.assert_close(found, right, rtol=0, atol=1e-12 * max(1.0, right.abs().max().item()))


@pytest.mark.parametrize("name", ["winograd 2", "winograd 4"])
def test_images_may_be_transformed_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm, x, gy, weight = (
        CASES[name][0],
        normal(3, 5, 8, 8, seed=1),
        normal(3, 4, 8, 8, seed=2),
        normal(4, 5, 3, 3),
    )
    kernel = algorithm.kernel(weight)
    together = [algorithm.forward(x, kernel, None), algorithm.grad_input(gy, kernel, x.shape)]
    together.append(algorithm.grad_weight(x, gy, kernel))
    monkeypatch.setattr(winograd, "TOGETHER", 1)
    apart = [
        algorithm.forward(x, kernel, None),
        algorithm.grad_input(gy, kernel, x.shape),
        algorithm.grad_weight(x, gy, kernel),
    ]
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


class Counting(type(algorithms.DIRECT)):
    """Counts the weight gradients that are computed."""

    def __init__(self) -> None:
        self.count = 0

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        self.count += 1
        return super().grad_weight(x, gy, kernel)


@pytest.mark.parametrize("told", [True, False])
def test_a_penalty_s_first_pass_makes_no_weight_gradients(told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not told:  # as by a PyTorch that has no such function
        monkeypatch.delattr(torch._C, "_will_engine_execute_node")
    counting = Counting()
    convolution = Convolution(lambda *shapes: {"only": counting}, 1.0)
    x = normal(2, 3, 4, 4).requires_grad_()
    weight, bias = torch.nn.Parameter(normal(5, 3, 3, 3)), torch.nn.Parameter(normal(5))
    y = convolution(x, weight, bias)
    (gx,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
    assert counting.count == (0 if told else 1)
    gx.square().sum().backward()
    assert counting.count == (2 if told else 3) and weight.grad is not None and bias.grad is not None
    (right,) = torch.autograd.grad(plain(x, weight, bias).sin().sum(), x, create_graph=True)
    for found, by_plain in zip((weight.grad, bias.grad), torch.autograd.grad(right.square().sum(), (weight, bias))):
        torch.testing.assert_close(found, by_plain, **CLOSE)
    (gw,) = torch.autograd.grad(convolution(x, weight, bias).sin().sum(), weight)
    assert counting.count == (3 if told else 4) and gw.shape == weight.shape


@pytest.mark.parametrize("outputs", [2, 7])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_input_gradients_read_nothing_but_their_operands(outputs: int, layout: torch.memory_format) -> None:
    """Of the input only the size counts: more or fewer numbers than the output's gradient has."""
    gy, kernel = normal(2, outputs, 6, 6).contiguous(memory_format=layout), normal(outputs, 4, 3, 3)
    before = gy.clone()
    found = algorithms.DIRECT.grad_input(gy, kernel, torch.Size((2, 4, 6, 6)))
    torch.testing.assert_close(found, F.conv_transpose2d(gy, kernel, padding=1), **CLOSE)
    assert torch.equal(gy, before)


@pytest.mark.parametrize(("m", "most"), [(2, 1e-6), (4, 3e-6)])
def test_winograd_in_float32_is_as_exact_as_its_text_says(m: int, most: float) -> None:
    algorithm = {2: algorithms.F2, 4: algorithms.F4}[m]
    x, weight = F.leaky_relu(normal(4, 128, 16, 16), 0.2), normal(128, 128, 3, 3) / 24
    exact = F.conv2d(x, weight, padding=1)
    made = algorithm.forward(x.float(), algorithm.kernel(weight.float()), None)
    assert (made - exact).norm() / exact.norm() < most


def test_one_by_one() -> None:
    x, weight, bias = normal(2, 3, 5, 5).requires_grad_(), normal(4, 3, 1, 1).requires_grad_(), normal(4)
    made = all_gradients(Convolution(algorithms.plain, 1.0), x, weight, bias.requires_grad_())
    for found, right in zip(made, all_gradients(plain, x, weight, bias), strict=True):
        torch.testing.assert_close(found, right, **CLOSE)


@pytest.mark.parametrize("fused", [None, "up", "down"])
@pytest.mark.parametrize("change", ["in place", "optimiser", "average", "load"])
def test_kept_kernels_are_prepared_again_when_the_weight_changes(change: str, fused: layers.Resample | None) -> None:
    layer = layers.Conv(3, 5, 3, wscale=True, resample=fused).float()
    layers.initialize(layer, 0, "x")
    layers.keep_kernels(layer)
    x = normal(2, 3, 8, 8).float()
    with torch.no_grad():
        layer(x)
        twice = copy.deepcopy(layer)
        twice.weight.mul_(2)
    match change:
        case "in place":
            with torch.no_grad():
                layer.weight.mul_(2)
        case "optimiser":
            layer.weight.grad, layer.bias.grad = -layer.weight.detach(), torch.zeros_like(layer.bias)
            Adam(layer, OptimConfig()).step(0.1, 0.99)
            twice.load_state_dict(layer.state_dict())
        case "average":
            with torch.no_grad():
                torch._foreach_lerp_([layer.weight], [3 * layer.weight], 0.5)
        case "load":
            layer.load_state_dict(twice.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(layer(x), twice(x))


def by_fused_adam(network: torch.nn.Module) -> None:
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.Adam(network.parameters(), lr=0.1, fused=True).step()


def by_data(network: torch.nn.Module) -> None:
    for parameter in network.parameters():
        parameter.data.mul_(2)


def by_vector(network: torch.nn.Module) -> None:
    vector = torch.cat([2 * parameter.detach().flatten() for parameter in network.parameters()])
    torch.nn.utils.vector_to_parameters(vector, network.parameters())


UNNOTICED = [by_fused_adam, by_data, by_vector]
"""Changes of weights that do not bump their versions."""


@pytest.mark.parametrize("compute", [None, torch.bfloat16])
@pytest.mark.parametrize("change", UNNOTICED)
def test_a_bare_network_s_weights_may_change_unnoticed(
    change: Callable[[torch.nn.Module], None], compute: torch.dtype | None
) -> None:
    networks = make_nets(make_spec(16), torch.float32)
    inputs = normal(2, 6).float(), normal(2, 3, 16, 16).float()
    for network, x in zip(networks, inputs, strict=True):
        network.compute = compute
        output(network, x)
        change(network)
        assert torch.equal(output(network, x), output(copy.deepcopy(network), x))


@pytest.mark.parametrize("change", UNNOTICED)
def test_a_loaded_model_s_weights_may_change_unnoticed(
    change: Callable[[torch.nn.Module], None], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, {"G_ema": make_nets(make_spec(16), torch.float32)[0]}, training={})
    model, z = growgan.load(path), normal(2, 6).float()
    before, pictures = output(model, z), model.sample(2, kind="numpy")
    change(model.G)
    assert not torch.equal(output(model, z), before)
    fresh = copy.deepcopy(model.G)
    assert torch.equal(output(model, z), output(fresh, z)) and torch.equal(output(model.G, z), output(fresh, z))
    assert not np.array_equal(model.sample(2, kind="numpy"), pictures)
    # Also where pictures were made since the network was handed out.
    change(fresh_G := model.G)
    assert torch.equal(output(model, z), output(copy.deepcopy(fresh_G), z))


def output(network: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    with torch.no_grad():
        found = network(x)
    return found[0] if isinstance(found, tuple) else found


def test_a_model_keeps_kernels_until_its_network_is_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, {"G_ema": make_nets(make_spec(16), torch.float32)[0]}, training={})
    model = growgan.load(path)
    convolution = model._G.stage(8).conv1.convolution
    model.sample(1)
    kept = convolution._made
    model.sample(1)
    assert convolution._made[-1] is kept[-1] and convolution._made[-1]
    model.G  # noqa: B018 (a property that does something)
    assert not convolution.keep


def test_layers_that_were_made_in_inference_mode_work_and_follow_their_weights() -> None:
    x = normal(2, 3, 8, 8).float()
    with torch.inference_mode():
        layer = layers.Conv(3, 5, 3, wscale=True)
        layers.initialize(layer, 0, "x")
        before = layer(x)
        layer.weight.mul_(2)
        torch.testing.assert_close(layer(x), 2 * before)  # there is no bias yet


def test_fused_resampling_is_the_plain_one() -> None:
    plain, up, down = (layers.Conv(3, 5, 3, wscale=True, resample=fused).double() for fused in (None, "up", "down"))
    for layer in (plain, up, down):
        layers.initialize(layer, 0, "x")
    for size in (2, 4, 6):
        x = normal(2, 3, size, size)
        torch.testing.assert_close(up(x), plain(resample.upscale(x)), **CLOSE)
        torch.testing.assert_close(down(x), resample.downscale(plain(x)), **CLOSE)


def test_hooks_fire_on_every_convolution() -> None:
    G, D = make_nets(make_spec(16, d_down="pool_act"), torch.float32)
    fired: list[torch.nn.Module] = []
    convolutions = [m for network in (G, D) for m in network.modules() if isinstance(m, layers.Conv)]
    for layer in convolutions:
        layer.register_forward_hook(lambda module, given, output: fired.append(module))
    with torch.no_grad():
        D(G(normal(2, 6).float(), None, 16, 0.5), alpha=0.5)
    lowest = (G.stage(4).torgb, D.stage(4).fromrgb)
    assert {id(m) for m in fired} == {id(m) for m in convolutions if m not in lowest}


class Slow:
    """Stands for an algorithm; `run` counts how often it is tried."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.tries = seconds, 0


def run(algorithm: Slow) -> Tensor:
    import time

    algorithm.tries += 1
    time.sleep(algorithm.seconds)
    return torch.zeros(())


def test_a_plan_measures_only_when_told_and_then_holds_to_it() -> None:
    plan, slow, quick = Plan(), Slow(0.03), Slow(0.001)
    candidates = {"slow": slow, "quick": quick}
    assert plan.choose("key", 1e9, candidates, run) is slow and not slow.tries
    with plan.measuring():
        assert plan.choose("small", 1.0, candidates, run) is slow and not slow.tries
        assert plan.choose("key", 1e9, candidates, run) is quick
    assert plan.choices == {"key": "quick"}
    tries = slow.tries + quick.tries
    assert plan.choose("key", 1e9, candidates, run) is quick and slow.tries + quick.tries == tries
    assert Plan({"key": "gone"}).choose("key", 1e9, candidates, run) is slow


def test_layers_follow_a_plan() -> None:
    x = normal(2, 32, 8, 8).float()
    layer = layers.Conv(32, 32, 3, wscale=True)
    layers.initialize(layer, 0, "x")
    used: list[str] = []

    class Listening(Plan):
        def choose(self, key: str, work: float, candidates: dict[str, Algorithm], run: object) -> Algorithm:
            used.append(key)
            return candidates["winograd 4"]

    before = layer(x)
    layers.follow(layer, Listening())
    torch.testing.assert_close(layer(x), before, rtol=0, atol=1e-5)
    assert used == ["forward 2x32x8x8 32 float32"]
    assert copy.deepcopy(layer).convolution.plan is not layer.convolution.plan
