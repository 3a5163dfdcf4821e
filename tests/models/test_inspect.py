"""Looking into a file: what its header says agrees with the networks themselves."""

from __future__ import annotations

import math
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from making import make_nets, make_spec
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from growgan.core.errors import ModelError
from growgan.models.inspect import Inspected, inspect
from growgan.models.native import save_model
from growgan.networks import cost


def make_file(path: Path, training: dict[str, Any] | None = None, half: bool = False, **fields: Any) -> Path:
    G, D = make_nets(make_spec(**fields), torch.float32)
    save_model(path, {"G_ema": deepcopy(G), "G": G, "D": D}, training=training or {}, half=half)
    return path


def counted(network: nn.Module, *inputs: Tensor, **more: Any) -> dict[str, list[int]]:
    """Shapes that the layers of a network give, watched while it runs."""
    seen: dict[str, list[int]] = {}

    def watch(name: str) -> Any:
        def note(module: nn.Module, given: Any, output: Tensor) -> None:
            seen[name] = list(output.shape[1:])

        return note

    hooks = [module.register_forward_hook(watch(name)) for name, module in network.named_modules() if "." in name]
    with torch.no_grad():
        network(*inputs, **more)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("fields", [{}, {"num_labels": 3}, {"d_down": "pool_act", "stddev_group": 1}])
def test_layers_are_those_of_the_networks(tmp_path: Path, fields: dict[str, Any]) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", **fields))
    G, D = make_nets(make_spec(**fields), torch.float32)
    assert list(found.networks) == ["G_ema", "G", "D"]
    for network, name in ((G, "G"), (D, "D")):
        layers = {layer.name: layer for layer in found.networks[name]}
        weights = {key: value for key, value in network.state_dict().items() if key.endswith(".weight")}
        assert {f"{key}.weight" for key in layers} == set(weights)
        assert all(layers[key.removesuffix(".weight")].weight == list(value.shape) for key, value in weights.items())
        total = sum(parameter.numel() for parameter in network.parameters())
        assert sum(layer.parameters for layer in layers.values()) == total


def test_outputs_are_those_that_layers_give(tmp_path: Path) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", num_labels=3))
    G, D = make_nets(make_spec(num_labels=3), torch.float32)
    seen = counted(G, torch.randn(2, 6), torch.tensor([0, 1])) | {"4x4.dense": [8, 4, 4]}
    shown = {layer.name: layer.output for layer in found.networks["G"] if layer.used}
    assert {name: shown[name] for name in seen} == seen and {"16x16.conv0", "16x16.torgb"} <= seen.keys()
    seen = counted(D, torch.randn(2, 3, 16, 16))
    shown = {layer.name: layer.output for layer in found.networks["D"] if layer.used}
    pooled = {name: [shape[0], shape[1] // 2, shape[2] // 2] for name, shape in seen.items() if "conv1" in name}
    assert {name: shown[name] for name in seen} == seen | pooled and shown["4x4.dense1"] == [4]


@pytest.mark.parametrize("resolution", [4, 8, 16])
def test_costs_are_those_of_the_rule(tmp_path: Path, resolution: int) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", {"resolution": resolution}, num_labels=2))
    spec = make_spec(num_labels=2)
    for name, rule in (("G_ema", cost.generator_flops), ("D", cost.discriminator_flops)):
        total = math.fsum(layer.flops for layer in found.networks[name] if layer.used)
        assert total == rule(spec, resolution)


def names(found: Inspected, network: str) -> list[str]:
    return [layer.name for layer in found.networks[network] if layer.used]


def test_the_order_is_that_of_the_work(tmp_path: Path) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", {"resolution": 8}))
    assert names(found, "G") == ["4x4.dense", "4x4.conv", "8x8.conv0", "8x8.conv1", "8x8.torgb"]
    assert names(found, "D") == ["8x8.fromrgb", "8x8.conv0", "8x8.conv1", "4x4.conv", "4x4.dense0", "4x4.dense1"]
    assert found.networks["D"][0].name == "16x16.fromrgb"


def test_in_a_fade_two_sizes_are_at_work(tmp_path: Path) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", {"resolution": 8, "alpha": 0.5}))
    assert [name for name in names(found, "G") if "torgb" in name] == ["4x4.torgb", "8x8.torgb"]
    assert [name for name in names(found, "D") if "fromrgb" in name] == ["8x8.fromrgb", "4x4.fromrgb"]


def test_types_and_parts(tmp_path: Path) -> None:
    found = inspect(make_file(tmp_path / "m.safetensors", half=True))
    assert found.dtypes == ["F16"] and not found.truncation
    assert found.bytes == (tmp_path / "m.safetensors").stat().st_size


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    good = make_file(tmp_path / "m.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-1])
    other = tmp_path / "other.safetensors"
    save_file(load_file(good), other)
    photographs, directions = tmp_path / "photographs.safetensors", tmp_path / "directions.safetensors"
    save_file(load_file(good), photographs, {"growgan.projected": "{}"})
    save_file(load_file(good), directions, {"growgan.directions": "{}"})
    picture, huge = tmp_path / "face.jpg", tmp_path / "huge.png"
    Image.new("RGB", (8, 8)).save(picture)
    Image.new("L", (8, 8)).save(huge)
    data = huge.read_bytes()
    huge.write_bytes(data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:])  # which Pillow takes for an attack
    for path, message in (
        (picture, r"face.jpg is a picture \(JPEG\), not a model"),
        (huge, r"huge.png is a picture \(PNG\), not a model"),
        (tmp_path / "none", "no such model file"),
        (cut, "is not a complete .safetensors file"),
        (other, "not a growgan model"),
        (photographs, "holds photographs from growgan project: pass it as"),
        (directions, "holds directions from growgan directions"),
    ):
        with pytest.raises(ModelError, match=message):
            inspect(path)


def test_no_count_of_pictures_is_invented(tmp_path: Path) -> None:
    file = inspect(make_file(tmp_path / "m.safetensors")).file
    assert "kimg" not in replace(file, training={"resolution": 8}).describe()
    begun = {"resolution": 8, "nimg": 2000, "parent": {"model": "faces-64"}}
    assert replace(file, training=begun).describe() == "8x8, trained for 2 kimg on top of its parent"
    assert "trained for 2 kimg" in replace(file, training={"nimg": 2000}).describe()


def test_no_torch_is_loaded(tmp_path: Path) -> None:
    path = make_file(tmp_path / "m.safetensors")
    script = "import sys; from growgan.cli.main import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, "info", path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False" and "4x4.dense" in done.stdout
