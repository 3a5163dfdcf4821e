"""Every layer has the size of the release's, and the name that files are written with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from growgan.core.config import NetworkSpec
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator


def count(module: nn.Module) -> int:
    return sum(math.prod(p.shape) for p in module.parameters())


def on_meta(**fields: object) -> tuple[Generator, Discriminator]:
    spec = NetworkSpec(**fields)
    with torch.device("meta"):
        return Generator(spec), Discriminator(spec)


@pytest.mark.parametrize("d_down", ["act_pool", "pool_act"])
@pytest.mark.parametrize(
    ("fields", "g", "d"),
    [
        ({"resolution": 1024}, 23_079_115, 23_087_249),
        ({"resolution": 256}, 23_044_309, 23_052_353),
        ({"resolution": 128}, 22_933_394, 22_941_313),
        ({"resolution": 128, "fmap_base": 2048}, 13_629_810, 13_636_897),
        ({"resolution": 32}, 20_719_628, 20_726_785),
        ({"resolution": 32, "fmap_base": 4096, "fmap_max": 128, "latent_size": 128}, 1_296_908, 1_298_689),
    ],
)
def test_totals(fields: dict[str, int], g: int, d: int, d_down: str) -> None:
    G, D = on_meta(**fields, d_down=d_down)
    assert (count(G), count(D)) == (g, d)
    assert all(p.requires_grad for p in (*G.parameters(), *D.parameters()))


# Side: G's first and second layer and toRGB; D's fromRGB, first and second layer (recipe 1.5).
LAYERS = {
    **dict.fromkeys((8, 16, 32), (2_359_808, 2_359_808, 1_539, 2_048, 2_359_808, 2_359_808)),
    64: (1_179_904, 590_080, 771, 1_024, 590_080, 1_180_160),
    128: (295_040, 147_584, 387, 512, 147_584, 295_168),
    256: (73_792, 36_928, 195, 256, 36_928, 73_856),
    512: (18_464, 9_248, 99, 128, 9_248, 18_496),
    1024: (4_624, 2_320, 51, 64, 2_320, 4_640),
}


def test_layers_at_1024() -> None:
    G, D = on_meta(resolution=1024)
    base, head = G.stage(4), D.stage(4)
    assert [count(layer) for layer in (base.dense, base.conv, base.torgb)] == [4_194_816, 2_359_808, 1_539]
    assert [count(layer) for layer in (head.fromrgb, head.conv, head.dense0, head.dense1)] == [
        2_048,
        2_364_416,
        4_194_816,
        513,
    ]
    for size, expected in LAYERS.items():
        g, d = G.stage(size), D.stage(size)
        assert tuple(count(layer) for layer in (g.conv0, g.conv1, g.torgb, d.fromrgb, d.conv0, d.conv1)) == expected


def test_classes_widen_the_first_and_the_last_layer_alone() -> None:
    plain, labelled = on_meta(resolution=32), on_meta(resolution=32, num_labels=10)
    assert count(labelled[0]) - count(plain[0]) == 10 * 512 * 16
    assert count(labelled[1]) - count(plain[1]) == 10 * 513


def names(stages: dict[str, str]) -> set[str]:
    return {f"{stage}.{layer}.{p}" for stage, layers in stages.items() for layer in layers.split() for p in BOTH}


BOTH = ("weight", "bias")


def test_names_are_the_file_format() -> None:
    G, D = on_meta(resolution=16)
    above = "conv0 conv1 "
    assert set(G.state_dict()) == names(
        {"4x4": "dense conv torgb", "8x8": above + "torgb", "16x16": above + "torgb"}
    ), "G"
    assert set(D.state_dict()) == names(
        {"4x4": "fromrgb conv dense0 dense1", "8x8": above + "fromrgb", "16x16": above + "fromrgb"}
    ), "D"


@pytest.mark.parametrize("resolution", [4, 8])
def test_a_larger_network_holds_the_smaller(resolution: int) -> None:
    small, large = on_meta(resolution=resolution), on_meta(resolution=2 * resolution)
    for a, b in zip(small, large):
        shapes = {name: p.shape for name, p in b.state_dict().items()}
        assert all(shapes[name] == p.shape for name, p in a.state_dict().items())
        assert len(shapes) > len(a.state_dict())
