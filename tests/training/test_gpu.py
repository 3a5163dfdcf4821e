"""A whole run on a CUDA GPU, as the command has it: through every stage, stopped, taken up, and shown."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from making import make_nets, make_spec

from growgan.cli.main import main
from growgan.models.native import open_model
from growgan.sampling.model import load
from growgan.training.optim import average
from growgan.training.run import RunFolder

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "recipe", [[], ["loss.name=logistic", "loss.r1_interval=4", "augment.policy=colour,translation,cutout"]]
)
def test_a_run_goes_through_every_stage_and_goes_on(
    recipe: list[str], precision: str, colour_set: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", "--data", str(colour_set), "--out", str(run), "--device", "cuda", "--precision", precision]
    words += ["--preset", "tiny", *(word for field in recipe for word in ("--set", field))]
    with warnings.catch_warnings(action="error"):  # that steps cannot be recorded would be one
        assert main([*words, "--kimg", "0.7"]) == 0
        assert main([*words, "--kimg", "1.6"]) == 0
    folder = RunFolder(run)
    losses = [entry["D/loss"] for entry in folder.read_log() if "D/loss" in entry]
    assert losses and all(abs(loss) < 1e4 for loss in losses)
    newest = folder.snapshots()[-1]
    assert open_model(newest).resolution == 16
    images = load(newest, device="cuda").sample(4, seed=1)
    assert all(np.asarray(image).std() > 0 for image in images)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recorded_steps_are_those_that_are_launched_piece_by_piece(
    precision: str, colour_set: Path, tmp_path: Path
) -> None:
    """Up to what kernels that add in any order, and an alpha that is rounded to 16 bits, leave apart."""
    found = []
    for graphs in ("auto", "never"):
        run = tmp_path / graphs
        words = ["train", "--data", str(colour_set), "--out", str(run), "--device", "cuda", "--precision", precision]
        words += ["--preset", "tiny", "--set", f"execution.graphs={graphs}", "--kimg", "0.3"]
        assert main(words) == 0
        found.append(RunFolder(run).read_log()[0])
    for name in ("D/loss", "G/loss", "D/score_real"):
        assert found[0][name] == pytest.approx(found[1][name], rel=0.05, abs=0.05), name


def test_the_average_shows_what_it_has_become() -> None:
    """Its kernels are kept from one picture to the next, and a card's averaging alone does not tell that they are old.

    What is held for the processor stands in test_optim.
    """
    G_ema, G = (make_nets(make_spec(), torch.float32)[0].cuda() for _ in range(2))
    with torch.no_grad():
        for parameter in G.parameters():
            parameter.add_(1)
        z = torch.randn(2, G.spec.z_size, device="cuda")
        before = G_ema(z)
        average(G_ema.parameters(), G.parameters(), 0.5)
        after = G_ema(z)
        assert not torch.equal(after, before)
        torch.testing.assert_close(after, copy.deepcopy(G_ema)(z), rtol=1e-3, atol=1e-3)


def test_wide_convolutions_are_those_of_the_processor() -> None:
    """What a card computes of a doubling and a halving, with all gradients, in float32 without TF32."""
    from growgan.networks.layers import Conv, initialize

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        for fused in ("up", "down"):
            layer = Conv(24, 32, 3, wscale=True, resample=fused)
            initialize(layer, 1, "x")
            x = torch.randn(4, 24, 16, 16, generator=torch.Generator().manual_seed(2))
            found = []
            for device in ("cpu", "cuda"):
                layer.to(device)
                layer.zero_grad()
                images = x.to(device, memory_format=torch.channels_last).detach().requires_grad_()
                y = layer(images)
                (gx,) = torch.autograd.grad(y.square().sum(), images, create_graph=True)
                gx.square().sum().backward()
                found.append([value.cpu() for value in (y, gx, layer.weight.grad, layer.bias.grad)])
            for one, other in zip(*found, strict=True):
                torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4 * one.abs().max().item())
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_the_sliced_wasserstein_distance_is_that_of_the_processor() -> None:
    from growgan.metrics.swd import Descriptors, swd

    pixels = np.random.default_rng(3).integers(0, 256, (2, 48, 3, 32, 32), dtype=np.uint8)
    pixels[1] //= 2
    found = []
    for device in ("cpu", "cuda"):
        sets = [Descriptors(seed, device) for seed in (0, 1)]
        for one, images in zip(sets, pixels, strict=True):
            one.add(images)
        found.append(swd(*sets))
    assert found[1].levels == pytest.approx(found[0].levels, rel=1e-3)
