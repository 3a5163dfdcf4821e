"""Photographs that are looked for in a model: what it made itself is found again; and what the file of them holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import make_nets, make_spec
from safetensors.numpy import save_file

from growgan.core.errors import ConfigError, ModelError
from growgan.editing import projected
from growgan.editing.projected import Point, Projected
from growgan.editing.projection import Distance, Projector, pyramid, to_photo
from growgan.models.native import save_model
from growgan.sampling import walks
from growgan.sampling.model import Model, load


def make_model(path: Path, networks: str = "GD", **fields: Any) -> Model:
    G, D = make_nets(make_spec(**fields), torch.float32)
    save_model(path / "model.safetensors", {"G_ema": G, **({"D": D} if "D" in networks else {})}, training={})
    return load(path / "model.safetensors")


def made(model: Model, seed: int, label: int | None = None) -> np.ndarray:
    (pixels,) = model.pictures(walks.still([seed], model.spec, model.distribution, label=label))
    return pixels[0]


def shown(model: Model, point: Point) -> np.ndarray:
    found = projected.added(None, "a", "0", point, "", "")
    (pixels,) = model.pictures(found.walk(model))
    return pixels[0]


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.square(a.astype(float) - b).mean()))


@pytest.mark.parametrize("networks", ["G", "GD"])
def test_what_a_model_made_is_found_again(networks: str, tmp_path: Path) -> None:
    model = make_model(tmp_path, networks)
    photo = made(model, 1234)  # not one of the starts
    point = Projector(model, starts=100, steps=60, free=False)(to_photo(photo))
    assert point.offset is None and point.label is None and point.z.shape == (6,)
    assert off(shown(model, point), photo) == pytest.approx(point.error, abs=0.5)
    others = [off(made(model, seed), photo) for seed in range(100)]
    assert point.error < 2 < min(others)


def test_the_hosts_settings_change_nothing(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    photo = to_photo(made(model, 1234))
    project = Projector(model, starts=10, steps=3)
    wanted = project(photo)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        inside = Projector(model, starts=10, steps=3)(photo.clone())
    assert np.array_equal(inside.z, wanted.z) and inside.error == wanted.error
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        assert np.array_equal(Projector(model, starts=10, steps=3)(photo).z, wanted.z)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    for wrong in (photo[:, :8], photo[:1], (photo * 100).byte()):
        with pytest.raises(ConfigError, match="this model takes photographs"):
            project(wrong)


def test_an_offset_reaches_what_no_latent_makes(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    photo = np.random.default_rng(0).integers(40, 216, (3, 16, 16), dtype=np.uint8)
    alone = Projector(model, starts=20, steps=40, free=False)
    more = Projector(model, starts=20, steps=40)
    assert (alone.work, more.work) == (40, 80)
    count: list[int] = []
    points = alone(to_photo(photo)), more(to_photo(photo), lambda: count.append(1))
    assert len(count) == 80
    assert points[1].error < 0.95 * points[0].error
    np.testing.assert_array_equal(points[0].z, points[1].z)
    assert off(shown(model, points[1]), photo) == pytest.approx(points[1].error, abs=0.5)
    again = more(to_photo(photo))
    np.testing.assert_array_equal(again.offset, points[1].offset)  # nothing is left to chance


def test_pictures_one_by_one_lead_to_the_same(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    photo = to_photo(made(model, 1234))
    a, b = (Projector(model, starts=20, steps=10, batch=batch)(photo) for batch in (1, 4))
    np.testing.assert_allclose(a.z, b.z, atol=1e-4)
    np.testing.assert_allclose(a.offset, b.offset, atol=1e-4)  # type: ignore[arg-type]


def test_a_network_in_the_middle_of_a_fade(tmp_path: Path) -> None:
    G, D = make_nets(make_spec(), torch.float32)
    for network in (G, D):
        network.resolution, network.alpha = 8, 0.5
    save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training={"resolution": 8, "alpha": 0.5})
    model = load(tmp_path / "m.safetensors")
    assert (model.resolution, model.G.alpha) == (8, 0.5)
    photo = made(model, 77)
    point = Projector(model, starts=50, steps=60, free=False)(to_photo(photo))
    assert point.error < 5 and off(shown(model, point), photo) == pytest.approx(point.error, abs=0.5)


def test_classes_are_found_and_kept(tmp_path: Path) -> None:
    model = make_model(tmp_path, num_labels=3)
    photo = made(model, 5000, label=2)
    found = Projector(model, starts=300, steps=60, free=False)(to_photo(photo))
    nearest = min(off(made(model, seed, 2), photo) for seed in range(300))
    assert found.label == 2 and found.error < 0.8 * nearest
    named = Projector(model, starts=50, steps=5, label=1)(to_photo(photo))
    assert named.label == 1 and named.error > found.error


@pytest.mark.parametrize(
    "fields", [{"resolution": 4}, {"channels": 1, "resolution": 8}, {"num_labels": 2, "multi_label": True}]
)
def test_networks_of_other_kinds(fields: dict[str, Any], tmp_path: Path) -> None:
    model = make_model(tmp_path, **fields)
    rows = {"rows": [[0.0, 1.0], [1.0, 1.0]]} if "multi_label" in fields else {}
    model.file.training["labels"] = rows
    point = Projector(model, starts=3, steps=3)(to_photo(made(model, 9)))
    assert np.isfinite(point.error) and shown(model, point).shape == made(model, 9).shape


def test_a_pyramid_adds_up_to_its_picture() -> None:
    x = torch.randn(2, 3, 32, 32)
    levels = pyramid(x)
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4]
    total = levels[-1]
    for level in levels[-2::-1]:
        total = level + total.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(total, x)


def test_the_distance_by_hand() -> None:
    _, D = make_nets(make_spec(8), torch.float32)
    distance = Distance(D)
    a, b = torch.randn(2, 3, 8, 8), torch.randn(1, 3, 8, 8)
    assert distance(a, distance.describe(a)).tolist() == [0, 0]
    means = [one.reshape(-1, 3, 4, 2, 4, 2).mean((3, 5)) for one in (a, b)]
    fine = [one - mean.repeat_interleave(2, 2).repeat_interleave(2, 3) for one, mean in zip((a, b), means)]
    wanted = (fine[0] - fine[1]).abs().mean((1, 2, 3)) + (means[0] - means[1]).abs().mean((1, 2, 3))
    torch.testing.assert_close(Distance(None)(a, Distance(None).describe(b)), wanted)
    features = [torch.nn.functional.leaky_relu(D.stage(8).fromrgb(one), 0.2) for one in (a, b)]
    scaled = [one / (one.square().mean(1, keepdim=True) + 1e-8).sqrt() for one in features]
    wanted = wanted + 0.2 * (scaled[0] - scaled[1]).square().mean((1, 2, 3))
    torch.testing.assert_close(distance(a, distance.describe(b)), wanted)


@pytest.mark.parametrize("words", [{"starts": 0}, {"steps": 0}, {"batch": 0}])
def test_nothing_to_do_is_refused(words: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be at least 1"):
        Projector(make_model(tmp_path), **words)


def points(count: int = 2, label: Any = None, offset: bool = True) -> Projected:
    found = None
    for number in range(count):
        random = np.random.default_rng(number)
        z, more = (random.standard_normal(shape).astype(np.float32) for shape in (6, (8, 4, 4)))
        point = Point(z, label, more if offset else None, 1.5)
        found = projected.added(found, f"{number}.jpg", f"{number:064x}", point, "m" * 64, "few steps")
    assert found is not None
    return found


@pytest.mark.parametrize("label", [None, np.int64(2), np.array([0.25, 0.75, 0], dtype=np.float32)])
@pytest.mark.parametrize("offset", [True, False])
def test_a_file_comes_back(label: Any, offset: bool, tmp_path: Path) -> None:
    found = points(label=label, offset=offset)
    projected.save(tmp_path / "p.safetensors", found)
    again = projected.read(tmp_path / "p.safetensors")
    for key, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, key), value)
        assert getattr(getattr(again, key), "dtype", None) == getattr(value, "dtype", None)


def test_files_that_are_none(tmp_path: Path) -> None:
    path, good = tmp_path / "p.safetensors", points(label=np.int64(1))
    with pytest.raises(ModelError, match="no such file"):
        projected.read(path)
    path.write_text("nothing")
    with pytest.raises(ModelError, match="is not a file of photographs"):
        projected.read(path)
    about = {key: getattr(good, key) for key in ("names", "digests", "errors", "model", "settings")}
    arrays = {"z": good.z, "labels": good.labels, "offset": good.offset}
    save_file(arrays, path, {projected.KEY: json.dumps(about)})
    assert projected.read(path).names == good.names
    broken: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"z": good.z[:1]}, {}),
        ({"z": good.z.astype(np.float64)}, {}),
        ({"z": good.z * np.nan}, {}),
        ({"z": good.z[:, None]}, {}),
        ({"z": np.array(1, dtype=np.float32)}, {}),
        ({"labels": np.full((2, 3), np.nan, dtype=np.float32)}, {}),
        ({"labels": np.zeros(2, dtype=np.float32)}, {}),
        ({"offset": good.offset[:, 0]}, {}),  # type: ignore[index]
        ({}, {"names": ["a"]}),
        ({}, {"errors": ["x", "y"]}),
        ({}, {"digests": None}),
    ]
    for array, word in broken:
        save_file(arrays | array, path, {projected.KEY: json.dumps(about | word)})
        with pytest.raises(ModelError, match="is not a file of photographs"):
            projected.read(path)


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (points(), {"latent_size": 7}),
        (points(), {"num_labels": 3}),
        (points(label=np.int64(1)), {}),
        (points(label=np.int64(3)), {"num_labels": 3}),
        (points(label=np.ones(2, dtype=np.float32)), {"num_labels": 3}),
        (points(), {"fmap_max": 4}),
    ],
)
def test_photographs_of_other_networks(found: Projected, fields: dict[str, Any], tmp_path: Path) -> None:
    model = make_model(tmp_path, **fields)
    with pytest.raises(ConfigError, match=r"different latents or labels|a different width"):
        found.walk(model)
    assert replace(points(offset=False)).walk(make_model(tmp_path)).offset is None
