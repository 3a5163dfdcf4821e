"""Directions: what they are, how latents move along them, and files of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from making import make_nets, make_spec
from safetensors.numpy import save_file

from growgan.core.errors import ConfigError, ModelError
from growgan.editing import directions
from growgan.editing.directions import Directions
from growgan.models.native import save_model
from growgan.networks.generator import latent_vectors
from growgan.sampling.latents import draw_arrays
from growgan.sampling.model import Model, load


def model_of(path: Path, **fields: object) -> Model:
    G, _ = make_nets(make_spec(**fields), torch.float32)
    save_model(path / "model.safetensors", {"G_ema": G}, training={})
    return load(path / "model.safetensors")


def test_together_a_later_one_takes_the_place_of_its_name(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    own = directions.of_weights(model, 2)
    said = replace(own, vectors=-own.vectors, names=("smile", "1"), weights=(0.1, 0.2), method="labels")
    found = directions.together(own, said)
    assert found.names == ("0", "1", "smile") and found.weights == (own.weights[0], 0.2, 0.1)
    assert np.array_equal(found.vectors, np.stack([own.vectors[0], -own.vectors[1], -own.vectors[0]]))
    assert found.method == "weights+labels" and found.model == own.model
    assert directions.together(found, said).method == "weights+labels"


@pytest.mark.parametrize("labels", [0, 3])
def test_of_weights_are_where_the_first_layer_reacts_most(labels: int, tmp_path: Path) -> None:
    model = model_of(tmp_path, num_labels=labels)
    found = directions.of_weights(model, 5)
    size = model.spec.z_size
    weight = model.G.stage(4).dense.weight.numpy()[:, :size]
    _, singular, rows = np.linalg.svd(weight)
    for i in range(5):
        assert abs(found.vectors[i] @ rows[i]) == pytest.approx(1, abs=1e-4)
        assert found.vectors[i, np.abs(found.vectors[i]).argmax()] > 0
        assert found.weights[i] == pytest.approx(singular[i] / np.sqrt(np.mean(singular**2)), rel=1e-4)
    assert found.names == ("0", "1", "2", "3", "4") and found.model == model.file.hash
    # It is the latent's part of the layer: moving a latent by a unit vector moves the layer by its gain.
    model.G.spec = replace(model.G.spec, normalize_latents=False)
    kind = torch.zeros(1, dtype=torch.int64) if labels else None
    dense, zero = model.G.stage(4).dense, torch.zeros(1, size)
    for i in range(5):
        ahead, here = (
            latent_vectors(model.G.spec, z, kind) for z in (torch.from_numpy(found.vectors[i : i + 1]), zero)
        )
        gain = (dense.project(ahead) - dense.project(here)).norm().item()
        assert gain == pytest.approx(singular[i] * dense.scale, rel=1e-4)
    every = directions.of_weights(model, size)
    assert np.allclose(every.vectors @ every.vectors.T, np.eye(size), atol=1e-5)
    for count in (0, size + 1):
        with pytest.raises(ConfigError, match=f"between 1 and {size} for this model"):
            directions.of_weights(model, count)


def test_of_labels_finds_what_was_said(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    random = np.random.RandomState(0)
    true = random.standard_normal(model.spec.z_size)
    true /= np.linalg.norm(true)
    z, _ = draw_arrays(range(400), model.spec, {})
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    said = {
        "tall": {seed: float(z[seed] @ true > 0) for seed in range(400)},
        "by chance": {seed: float(random.randint(2)) for seed in range(400)},
    }
    found = directions.of_labels(model, said)
    assert found.of("tall") @ true > 0.9 and found.weights[0] > 0.5
    assert 0 <= found.weights[1] < 0.05
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(1)


def test_what_is_predicted_is_so_of_labels_that_were_left_out() -> None:
    random = np.random.RandomState(1)
    x = random.standard_normal((30, 6))
    y = x[:, 0] + random.standard_normal(30)
    _, score = directions._fitted(x, y)

    def left_out(ridge: float) -> np.ndarray:
        found = []
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            a, b = x[rest] - x[rest].mean(0), y[rest] - y[rest].mean()
            w = np.linalg.solve(a.T @ a + ridge * np.eye(6), a.T @ b)
            found.append(y[rest].mean() + (x[i] - x[rest].mean(0)) @ w)
        return np.array(found)

    scale = np.mean(np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2)
    tried = [left_out(ridge * scale) for ridge in directions.RIDGES]
    least = min(np.mean(np.square(y - one)) for one in tried)
    mean = np.mean([np.square(y[i] - np.delete(y, i).mean()) for i in range(len(y))])
    assert score == pytest.approx(1 - least / mean, abs=1e-6) and 0.2 < score < 1


@pytest.mark.parametrize(("labels", "words"), [(dict.fromkeys(range(19), 1.0), "at least 20"), ({}, "has 0")])
def test_labels_that_say_too_little(labels: dict[int, float], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        directions.of_labels(model_of(tmp_path), {"x": labels})
    with pytest.raises(ConfigError, match="not all equal"):
        directions.of_labels(model_of(tmp_path), {"x": dict.fromkeys(range(20), 1.0)})


def some(names: tuple[str, ...] = ("a", "b"), size: int = 6) -> Directions:
    vectors = np.random.RandomState(0).standard_normal((len(names), size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Directions(vectors.astype(np.float32), names, (1.0,) * len(names), "labels", "abc")


def test_latents_move_and_keep_their_length() -> None:
    found = some()
    z = np.random.RandomState(1).standard_normal((3, 4, 6)).astype(np.float32)
    moved = found.move(z, {"a": 0.5, "b": -0.25})
    length = np.linalg.norm(z, axis=-1, keepdims=True)
    plain = z / length + 0.5 * found.vectors[0] - 0.25 * found.vectors[1]
    np.testing.assert_allclose(moved / length, plain / np.linalg.norm(plain, axis=-1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=-1, keepdims=True), length, rtol=1e-5)
    np.testing.assert_allclose(found.move(z, {}), z, rtol=1e-5)
    with pytest.raises(ConfigError, match="unknown direction 'c'; choose from: a, b"):
        found.move(z, {"c": 1})


def test_without_frees_of_what_is_shared() -> None:
    found = some(("a", "b", "c", "d"))
    freed = directions.without(found, ["b", "d"])
    for name in ("a", "c"):
        assert np.abs([freed.of(name) @ found.of(other) for other in ("b", "d")]).max() < 1e-6
        assert np.linalg.norm(freed.of(name)) == pytest.approx(1)
        assert freed.of(name) @ found.of(name) > 0
    for name in ("b", "d"):
        assert np.array_equal(freed.of(name), found.of(name))
    with pytest.raises(ConfigError, match="unknown direction 'x'"):
        directions.without(found, ["x"])
    again = directions.without(found, ["b", "d", "b"])  # what is named twice counts once
    assert np.allclose(again.vectors, freed.vectors, atol=1e-6)
    twice = replace(found, vectors=found.vectors[[0, 0, 2, 3]])
    with pytest.raises(ConfigError, match="nothing is left of direction 'b' without a"):
        directions.without(twice, ["a"])


def test_a_file_of_directions(tmp_path: Path) -> None:
    found = some()
    path = tmp_path / "new" / "d.safetensors"
    directions.save(path, found)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    again = directions.read(path)
    assert np.array_equal(again.vectors, found.vectors)
    directions.save(path, replace(found, vectors=np.asfortranarray(found.vectors)))
    assert np.array_equal(directions.read(path).vectors, found.vectors)
    assert (again.names, again.weights, again.method, again.model) == (("a", "b"), (1.0, 1.0), "labels", "abc")


@pytest.mark.parametrize(
    ("vectors", "metadata"),
    [
        (np.zeros((2, 4), np.float32), None),
        (np.zeros((2, 4), np.float32), {directions.KEY: "{"}),
        (np.zeros((2, 4), np.float32), {directions.KEY: "[]"}),
        (np.zeros((2, 4), np.float32), {directions.KEY: '{"names": ["a"], "weights": [1], "method": "", "model": ""}'}),
        (np.zeros(4, np.float32), {directions.KEY: '{"names": ["a"], "weights": [1], "method": "", "model": ""}'}),
        (np.full((1, 4), np.nan, np.float32), {directions.KEY: '{"names":["a"],"weights":[1],"method":"","model":""}'}),
        (np.zeros((1, 4), np.float32), {directions.KEY: '{"names":["a"],"weights":[1],"method":"","model":""}'}),
        (np.full((1, 4), 3e38, np.float32), {directions.KEY: '{"names":["a"],"weights":[1],"method":"","model":""}'}),
        (np.eye(1, 4, dtype=np.float32), {directions.KEY: '{"names":["a"],"weights":[NaN],"method":"","model":""}'}),
        (np.eye(1, 4, dtype=np.float32), {directions.KEY: "[" * 100_000}),
        (np.eye(1, 4, dtype=np.float32), {directions.KEY: f'{{"names":["a"],"weights":[1{"0" * 400}]}}'}),
        (np.zeros((0, 4), np.float32), {directions.KEY: '{"names":[],"weights":[],"method":"","model":""}'}),
        (np.zeros((1, 4), np.float64), {directions.KEY: '{"names":["a"],"weights":[1],"method":"","model":""}'}),
    ],
)
def test_what_is_no_file_of_directions(vectors: np.ndarray, metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    save_file({"directions": vectors}, path, metadata=metadata)
    with pytest.raises(ModelError, match="is not a file of directions"):
        directions.read(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="is not a file of directions"):
        directions.read(path)
    with pytest.raises(ModelError, match="no such file"):
        directions.read(tmp_path / "none")
