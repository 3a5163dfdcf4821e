"""Saved models of pro-gan-pth 3 against a plain re-statement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from oracles import pro_gan_pth_plain as plain

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any


def make(
    widths: tuple[int, ...] = plain.WIDTHS, channels: int = 3, hidden: int = 6, eql: bool = True, by: float = 1.0
) -> dict[str, Any]:
    conf = {"depth": len(widths) + 1, "num_channels": channels, "latent_size": 6, "use_eql": eql}

    def part(shapes: Any, seed: int, **more: Any) -> dict[str, Any]:
        state = {name: by * value for name, value in plain.make(shapes, seed).items()}
        return {"conf": conf | more, "state_dict": state}

    g, d = plain.g_shapes(6, widths, channels), plain.d_shapes(hidden, widths, channels)
    moments = {i: {"step": torch.tensor(3.0)} for i in range(len(g))}
    optimiser = {"state": moments, "param_groups": [{"lr": 0.003, "betas": (0, 0.99)}]}
    return {
        "generator": part(g, 1),
        "discriminator": part(d, 2, num_classes=None, latent_size=hidden),
        "gen_optim": optimiser,
        "dis_optim": optimiser,
        "shadow_generator": part(g, 3),
    }


def save(path: Path, content: Any, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize(
    ("made", "zipped"),
    [
        ({}, True),
        ({"widths": (8, 12, 6), "hidden": 20}, False),
        ({"channels": 1, "widths": (8,)}, True),
        ({"eql": False, "by": 0.3}, True),
    ],
)
def test_images_and_scores(tmp_path: Path, made: dict[str, Any], zipped: bool) -> None:
    content, eql = make(**made), made.get("eql", True)
    file = open_any(save(tmp_path / "net.bin", content, zipped))
    ours = {name: file.network(name) for name in ("G", "D", "G_ema")}
    random = torch.Generator().manual_seed(5)
    z = torch.randn(4, 6, generator=random)
    for size in file.spec.stages:
        x = torch.randn(8, file.spec.channels, size, size, generator=random)
        for alpha in (0.0, 0.3, 1.0) if size > 4 else (1.0,):
            for name, theirs in (("G", "generator"), ("G_ema", "shadow_generator")):
                wanted = plain.generate(content[theirs]["state_dict"], z, size, alpha, eql)
                torch.testing.assert_close(ours[name](z, None, size, alpha), wanted, atol=1e-4, rtol=0)
            wanted = plain.judge(content["discriminator"]["state_dict"], x, alpha, len(file.spec.stages), eql)
            torch.testing.assert_close(ours["D"](x, None, alpha)[0], wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "size"),
    [("depth_3_epoch_10.bin", 8), ("depth_4_epoch_1.bin", 16), ("depth_9_epoch_1.bin", 16), ("gan.bin", 16)],
)
def test_the_usual_name_says_how_far_it_has_grown(tmp_path: Path, name: str, size: int) -> None:
    assert open_any(save(tmp_path / name, make())).training == {"resolution": size, "alpha": 1.0}


@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_optimiser_says_it_where_the_name_does_not(tmp_path: Path, size: int) -> None:
    """Its moments are of the weights that have ever had a gradient, counted in the order of the network's."""
    content = make()
    weights = [torch.nn.Parameter(value) for value in content["generator"]["state_dict"].values()]
    adam = torch.optim.Adam(weights, lr=0.003, betas=(0.0, 0.99))
    for name, weight in zip(content["generator"]["state_dict"], weights):
        stage = 4 << int(name.split(".")[1])  # of layers.0.conv_1.weight, rgb_converters.0.bias
        if stage <= size and (name.startswith("layers.") or 2 * stage >= size):
            weight.grad = torch.ones_like(weight)
    adam.step()
    content["gen_optim"] = adam.state_dict()
    assert open_any(save(tmp_path / "gan.bin", content)).training["resolution"] == size
    assert open_any(save(tmp_path / "depth_3_epoch_1.bin", content)).training["resolution"] == 8


def test_one_network_alone_and_wrapped_names(tmp_path: Path) -> None:
    part = make()["generator"]
    part["state_dict"] = {f"module.{name}": value for name, value in part["state_dict"].items()}
    found = open_any(save(tmp_path / "g.bin", part)).network("G").state_dict()
    wanted = open_any(save(tmp_path / "all.bin", make())).network("G").state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    with pytest.raises(ModelError, match="only a discriminator"):
        open_any(save(tmp_path / "d.bin", make()["discriminator"]))


def test_a_conditional_discriminator_is_left_out_by_name(tmp_path: Path) -> None:
    content = make()
    content["discriminator"]["conf"]["num_classes"] = 5
    content["discriminator"]["state_dict"]["layers.2.label_embedder.weight"] = torch.zeros(5, 6)
    file = open_any(save(tmp_path / "net.bin", content))
    assert file.has("G") and file.has("G_ema") and not file.has("D")
    assert "conditional by projection" in file.card["imported"]["remarks"][0]


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (
        lambda c: c["shadow_generator"]["state_dict"].pop("layers.1.conv_2.bias"),
        "G_ema lacks the weight layers.1.conv_2.bias",
    ),
    "too many": (
        lambda c: c["generator"]["state_dict"].update(extra=torch.ones(1)),
        "G has an unexpected weight extra",
    ),
    "too many in D": (
        lambda c: c["discriminator"]["state_dict"].update(extra=torch.ones(1)),
        "D has an unexpected weight extra",
    ),
    "too wide": (
        lambda c: c["generator"]["state_dict"].update({"layers.2.conv_2.bias": torch.ones(9)}),
        "16x16.conv1.bias of shape [9]",
    ),
    "nothing": (lambda c: c.clear(), "no progressive GAN from"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str) -> None:
    content = make()
    alter, message = CHANGES[change]
    alter(content)
    with pytest.raises(ModelError) as caught:
        open_any(save(tmp_path / "net.bin", content))
    assert message in str(caught.value) and "\n" not in str(caught.value)
