"""Model files: what goes in comes out, and whatever is no whole model file is refused in one line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from making import make_nets, make_spec, normal
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.errors import ModelError, RunError
from growgan.models import native
from growgan.models.native import ModelFile, open_model, save_model

Tensors = dict[str, Tensor]
Metadata = dict[str, str]
TRAINING = {"nimg": 1234, "resolution": 16, "alpha": 1.0, "labels": {}}


def make_file(path: Path, spec: NetworkSpec | None = None, **more: Any) -> Path:
    G, D = make_nets(spec or make_spec(), torch.float32)
    G_ema, _ = make_nets(spec or make_spec(), torch.float32, seed=1)
    more.setdefault("training", TRAINING)
    save_model(path, {"G_ema": G_ema, "G": G, "D": D}, **more)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("good") / "model.safetensors")


def rewrite(source: Path, target: Path, change: Callable[[Tensors, Metadata], None]) -> Path:
    """A copy of a model file with its tensors or its header changed."""
    with safe_open(source, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(source)
    change(tensors, metadata)
    save_file(tensors, target, metadata)
    return target


def refusal(path: Path, use: Callable[[ModelFile], object] = ModelFile.generator) -> str:
    """The line with which a file is refused, at opening or at use."""
    with pytest.raises(ModelError) as caught:
        use(open_model(path))
    message = str(caught.value)
    assert message and "\n" not in message and str(path) in message
    return message


def test_round_trip_in_float32_is_exact(good: Path) -> None:
    file = open_model(good)
    for name, (network, seed) in {"G": (0, 0), "D": (1, 0), "G_ema": (0, 1)}.items():
        wanted = make_nets(make_spec(), torch.float32, seed)[network].state_dict()
        found = file.network(name).state_dict()
        assert list(found) == list(wanted)
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert file.spec == make_spec() and file.training == TRAINING and file.measures == {} and file.card == {}


def test_round_trip_in_half_rounds_once(tmp_path: Path) -> None:
    path = make_file(tmp_path / "half.safetensors", half=True, truncation_mean=torch.full((1, 8, 4, 4), 0.1))
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    file, (G_ema, _) = open_model(path), make_nets(make_spec(), torch.float32, seed=1)
    for key, value in file.generator().state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, G_ema.state_dict()[key].half().float())
    mean = file.truncation_mean()
    assert mean is not None and torch.equal(mean, torch.full((1, 8, 4, 4), 0.1).half().float())


def test_loaded_networks_are_ready_and_cannot_be_trained_by_mistake(good: Path) -> None:
    G = open_model(good).generator()
    assert not G.training and not any(p.requires_grad for p in G.parameters())
    assert G(normal(2, 6).float()).shape == (2, 3, 16, 16)


def test_what_is_said_beside_the_weights(tmp_path: Path) -> None:
    said = {"measures": {"swd": {"value": 1.5}}, "card": {"licence": "für Forschung"}}
    path = make_file(tmp_path / "m.safetensors", **said)
    file = open_model(path)
    assert {"measures": file.measures, "card": file.card} == said
    assert file.truncation_mean() is None
    assert file.hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "fields",
    [
        {"num_labels": 3, "multi_label": True, "channels": 1, "stddev_group": None, "d_down": "pool_act"},
        {"resolution": 4, "wscale": False, "pixelnorm": False, "leaky_relu": False, "stddev_group": 0},
        {"resolution": 8, "latent_size": None, "fmap_decay": 0.5, "normalize_latents": False},
    ],
)
def test_every_field_of_the_spec_survives(tmp_path: Path, fields: dict[str, Any]) -> None:
    spec = make_spec(**fields)
    file = open_model(make_file(tmp_path / "m.safetensors", spec, training={}))
    assert file.spec == spec
    assert all(file.network(name).spec == spec for name in ("G", "D", "G_ema"))


@pytest.mark.parametrize(("resolution", "alpha"), [(16, 1.0), (8, 1.0), (8, 0.25), (4, 1.0), (16, 0.0)])
def test_the_stage_is_stored(tmp_path: Path, resolution: int, alpha: float) -> None:
    path = make_file(tmp_path / "m.safetensors", training={"resolution": resolution, "alpha": alpha})
    file, z = open_model(path), normal(2, 6).float()
    G, D = file.network("G"), file.network("D")
    x = G(z)
    assert x.shape[-1] == resolution
    assert torch.equal(x, G(z, None, resolution, alpha))
    if resolution > 4:
        other = 1.0 if alpha < 1 else 0.5
        assert not torch.equal(x, G(z, None, resolution, other))
        assert torch.equal(D(x)[0], D(x, None, alpha)[0])
        assert not torch.equal(D(x)[0], D(x, None, other)[0])


def test_metadata_keys(good: Path, tmp_path: Path) -> None:
    keys = {f"growgan.{name}" for name in ("format", "spec", "training", "measures", "card")}
    with safe_open(good, framework="pt") as file:
        assert set(file.metadata()) == keys
        assert file.metadata()["growgan.format"] == "1"
        assert all(isinstance(json.loads(file.metadata()[key]), dict) for key in keys - {"growgan.format"})


GOLDEN_SPEC = (
    '{"resolution": 8, "channels": 1, "num_labels": 2, "multi_label": false, "latent_size": 3, "fmap_base": 8,'
    ' "fmap_decay": 1.0, "fmap_max": 4, "normalize_latents": true, "pixelnorm": true, "wscale": true,'
    ' "leaky_relu": true, "stddev_group": 4, "d_down": "act_pool", "variant": {"widths": null,'
    ' "hidden": null, "slope": 0.2, "norm_eps": 1e-08, "norm_eps_outside": false, "first_norm": true, "first_bias":'
    ' "map", "labels_normed": true, "tanh": false, "stddev_groups": "strided", "stddev_unbiased": false, "d_last_conv":'
    ' true, "d_fade_from": 8}}'
)
GOLDEN_G = {
    "4x4.dense.weight": [64, 5],
    "4x4.dense.bias": [4],
    "4x4.conv.weight": [4, 4, 3, 3],
    "4x4.conv.bias": [4],
    "4x4.torgb.weight": [1, 4, 1, 1],
    "4x4.torgb.bias": [1],
    "8x8.conv0.weight": [2, 4, 3, 3],
    "8x8.conv0.bias": [2],
    "8x8.conv1.weight": [2, 2, 3, 3],
    "8x8.conv1.bias": [2],
    "8x8.torgb.weight": [1, 2, 1, 1],
    "8x8.torgb.bias": [1],
}
GOLDEN_D = {
    "8x8.fromrgb.weight": [2, 1, 1, 1],
    "8x8.fromrgb.bias": [2],
    "8x8.conv0.weight": [2, 2, 3, 3],
    "8x8.conv0.bias": [2],
    "8x8.conv1.weight": [4, 2, 3, 3],
    "8x8.conv1.bias": [4],
    "4x4.fromrgb.weight": [4, 1, 1, 1],
    "4x4.fromrgb.bias": [4],
    "4x4.conv.weight": [4, 5, 3, 3],
    "4x4.conv.bias": [4],
    "4x4.dense0.weight": [4, 64],
    "4x4.dense0.bias": [4],
    "4x4.dense1.weight": [3, 4],
    "4x4.dense1.bias": [3],
}


def test_golden_header(tmp_path: Path) -> None:
    """Files of today must be readable for ever: nobody may rename a tensor or a field without noticing."""
    spec = NetworkSpec(resolution=8, channels=1, num_labels=2, latent_size=3, fmap_base=8, fmap_max=4)
    mean = torch.zeros(2, 4, 4, 4)
    path = make_file(tmp_path / "m.safetensors", spec, training={"nimg": 5}, truncation_mean=mean)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header.pop("__metadata__") == {
        "growgan.format": "1",
        "growgan.spec": GOLDEN_SPEC,
        "growgan.training": '{"nimg": 5}',
        "growgan.measures": "{}",
        "growgan.card": "{}",
    }
    assert {entry["dtype"] for entry in header.values()} == {"F32"}
    shapes = {f"{name}.{key}": shape for name in ("G", "G_ema") for key, shape in GOLDEN_G.items()}
    shapes |= {f"D.{key}": shape for key, shape in GOLDEN_D.items()}
    assert {key: entry["shape"] for key, entry in header.items()} == shapes | {"truncation.mean": [2, 4, 4, 4]}


def test_snapshots_of_a_run_hold_three_networks(tiny_run: Path) -> None:
    paths = sorted((tiny_run / "models").iterdir())
    assert [path.name for path in paths] == [
        "best.safetensors",
        *(f"snapshot-{nimg:012d}.safetensors" for nimg in (192, 256, 320)),
        *(f"stage-{size:04d}x{size:04d}.safetensors" for size in (4, 8, 16)),
    ]
    for path in paths:
        names = load_file(path)
        assert {name.split(".")[0] for name in names} == {"G_ema", "G", "D"}
        assert {tensor.dtype for tensor in names.values()} == {torch.float32}
        assert "G_ema.8x8.conv0.weight" in names
    fading = open_model(tiny_run / "models" / "snapshot-000000000256.safetensors")
    assert (fading.training["nimg"], fading.training["resolution"]) == (256, 16)
    assert 0 < fading.training["alpha"] < 1 and fading.generator().alpha == fading.training["alpha"]
    stage = open_model(tiny_run / "models" / "stage-0008x0008.safetensors")
    assert stage.generator()(normal(1, 16).float()).shape == (1, 3, 8, 8)


def test_without_an_average_the_plain_generator_is_taken(good: Path, tmp_path: Path) -> None:
    def drop(*names: str) -> Callable[[Tensors, Metadata], None]:
        def change(tensors: Tensors, _: Metadata) -> None:
            for key in [key for key in tensors if key.split(".")[0] in names]:
                del tensors[key]

        return change

    file = open_model(good)
    only_average = open_model(rewrite(good, tmp_path / "a.safetensors", drop("G", "D")))
    assert only_average.has("G_ema") and not only_average.has("G") and not only_average.has("D")
    only_plain = open_model(rewrite(good, tmp_path / "b.safetensors", drop("G_ema", "D")))
    z = normal(1, 6).float()
    assert torch.equal(only_average.generator()(z), file.network("G_ema")(z))
    assert torch.equal(only_plain.generator()(z), file.network("G")(z))
    neither = rewrite(good, tmp_path / "c.safetensors", drop("G", "G_ema"))
    assert "G_ema lacks the tensor 4x4.dense.weight" in refusal(neither)


@pytest.mark.parametrize("part", [0.0, 0.0001, 0.01, 0.25, 0.5, 0.9, 0.99999])
def test_a_file_that_was_cut(good: Path, tmp_path: Path, part: float) -> None:
    data = good.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[: int(len(data) * part)])
    assert len(path.read_bytes()) < len(data)
    assert "is not a complete .safetensors file" in refusal(path)


@pytest.mark.parametrize("data", [b"", b"x", b"# a text\n" * 99, b"\x00" * 99, b"\xff" * 99, b"PK\x03\x04" + bytes(99)])
def test_other_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    assert "is not a complete .safetensors file" in refusal(path)


def test_no_file(tmp_path: Path) -> None:
    assert "no such model file" in refusal(tmp_path / "absent.safetensors")
    assert "no such model file" in refusal(tmp_path)


def test_another_program_s_file(tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}):
        save_file({"a": torch.zeros(3)}, tmp_path / "m.safetensors", metadata)
        assert "not a growgan model" in refusal(tmp_path / "m.safetensors")


def test_a_later_format(good: Path, tmp_path: Path) -> None:
    path = rewrite(good, tmp_path / "m.safetensors", lambda _, said: said.update({"growgan.format": "2"}))
    assert "has format '2'; this version reads 1" in refusal(path)
    path = rewrite(good, path, lambda _, said: said.pop("growgan.format") and None)
    assert "has format None" in refusal(path)


HUGE = 2**20
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "wider": ({"fmap_max": 16}, "has a tensor 4x4.dense.weight of shape [128, 6], not [256, 6]"),
    "a class": ({"num_labels": 1}, "has a tensor 4x4.dense.weight of shape [128, 6], not [128, 7]"),
    "deeper": ({"resolution": 32}, "lacks the tensor 32x32.conv0.weight"),
    "shallower": ({"resolution": 8}, "training.resolution cannot be 16"),
    "colourless": ({"channels": 1}, "has a tensor 4x4.torgb.weight of shape [3, 8, 1, 1], not [1, 8, 1, 1]"),
    # 64 TiB: whoever allocated it would have another error than that of the shape.
    "huge": ({"fmap_base": HUGE, "fmap_max": HUGE}, "has a tensor 4x4.dense.weight of shape"),
    "too huge to count": ({"fmap_base": HUGE**2, "fmap_max": HUGE**2}, "impossibly large network"),
    "beyond 64 bits": ({"latent_size": 2**70}, "the description in"),
    "beyond floats": ({"fmap_decay": 1e308}, "the description in"),
    "divided by nought": ({"fmap_decay": -1e308}, "the description in"),
    "very tall": ({"resolution": 2**900}, "lacks the tensor 32x32.conv0.weight"),
    "endless": ({"resolution": 2**1030}, "the description in"),
    "not a power of two": ({"resolution": 12}, "must be a power of two, at least 4, not 12"),
    "no channel": ({"channels": 0}, "at least 1"),
    "unknown field": ({"style_mixing": 0.9}, "unknown field spec.style_mixing"),
    "text for a number": ({"fmap_max": "8"}, "spec.fmap_max should be a whole number, not '8'"),
    "unknown way down": ({"d_down": "sideways"}, "spec.d_down should be one of act_pool, pool_act"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_spec_that_lies(good: Path, tmp_path: Path, lie: str) -> None:
    fields, message = LIES[lie]

    def change(_: Tensors, said: Metadata) -> None:
        said["growgan.spec"] = json.dumps(dataclasses.asdict(make_spec()) | fields)

    assert message in refusal(rewrite(good, tmp_path / "m.safetensors", change))


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("spec", "{", "the description in"),
        ("spec", "[]", "spec should be a JSON object"),
        ("spec", "[" * 100_000, "the description in"),
        ("training", "nonsense", "the description in"),
        ("training", "[1]", "training should be a JSON object"),
        ("card", "null", "card should be a JSON object"),
        ("measures", '"good"', "measures should be a JSON object"),
        ("training", '{"resolution": 32}', "training.resolution cannot be 32"),
        ("training", '{"resolution": "16"}', "training.resolution cannot be '16'"),
        ("training", '{"alpha": 1.5}', "training.alpha should be between 0 and 1, not 1.5"),
        ("training", '{"alpha": NaN}', "training.alpha should be"),
        ("training", '{"alpha": null}', "training.alpha should be"),
        ("training", '{"class_names": ["a", "b"]}', "training.class_names should be 3 names"),
        ("training", '{"class_names": ["a", "b", 3]}', "training.class_names should be 3 names"),
        ("training", '{"parent": "faces"}', "training.parent should be a JSON object"),
        ("training", '{"labels": []}', "training.labels should be a JSON object"),
        ("training", '{"labels": {"counts": [1, 2]}}', "training.labels should hold 3 numbers"),
        ("training", '{"labels": {"counts": [1, 2, -1]}}', "training.labels should hold 3 numbers"),
        ("training", '{"labels": {"counts": [0, 0, 0]}}', "training.labels sums to zero"),
        ("training", '{"labels": {"counts": 3}}', "training.labels should hold 3 numbers"),
        ("training", '{"labels": {"rows": [[1, 0, 0]], "counts": 5}}', "training.labels should hold 3 numbers"),
        ("training", '{"labels": {"rows": []}}', "training.labels should hold 3 numbers"),
        ("training", '{"labels": {"rows": [[1, 0, 0], [1, 0]]}}', "training.labels should hold 3 numbers"),
    ],
)
def test_other_parts_that_lie(tmp_path: Path, key: str, text: str, message: str) -> None:
    source = make_file(tmp_path / "good.safetensors", make_spec(num_labels=3), training={})
    open_model(source).generator()
    path = rewrite(source, tmp_path / "m.safetensors", lambda _, said: said.update({f"growgan.{key}": text}))
    assert message in refusal(path)


def test_tensors_that_are_missing_or_have_no_place(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    rewrite(good, path, lambda tensors, _: tensors.pop("G_ema.8x8.conv1.bias") is None)
    assert refusal(path).endswith("G_ema lacks the tensor 8x8.conv1.bias")
    assert open_model(path).network("D") is not None
    rewrite(good, path, lambda tensors, _: tensors.update({"G_ema.32x32.conv0.bias": torch.zeros(2)}))
    assert refusal(path).endswith("G_ema has an unexpected tensor 32x32.conv0.bias")
    rewrite(good, path, lambda tensors, _: tensors.update({"D.8x8.conv0.bias": torch.zeros(9)}))
    assert "D has a tensor 8x8.conv0.bias of shape [9], not [8]" in refusal(path, lambda file: file.network("D"))


def test_a_truncation_mean_of_another_shape(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    rewrite(good, path, lambda tensors, _: tensors.update({"truncation.mean": torch.zeros(3, 8, 4, 4)}))
    message = refusal(path, ModelFile.truncation_mean)
    assert message.endswith("has a tensor truncation.mean of shape [3, 8, 4, 4], not [1, 8, 4, 4]")


def test_a_write_that_fails_leaves_the_old_file(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(good.read_bytes())

    def fail(tensors: Tensors, file: Path, metadata: Metadata) -> None:
        file.write_bytes(b"half")
        raise native.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(native, "save_file", fail)
    with pytest.raises(RunError, match=r"cannot write .*m\.safetensors: .*No space left on device"):
        make_file(path)
    assert path.read_bytes() == good.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]
