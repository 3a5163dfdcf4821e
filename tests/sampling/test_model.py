"""A loaded model: the same seed is the same picture, truncation, labels, and where models are found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import make_nets, make_spec, normal

import growgan
from growgan.core.errors import ConfigError, ModelError
from growgan.sampling.images import to_uint8
from growgan.sampling.latents import draw
from growgan.sampling.model import MEAN_LATENTS, Model, load

MakeModel = Callable[..., Model]


def levels(a: np.ndarray, b: np.ndarray) -> int:
    """The largest difference of two pictures in any pixel."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_sampling_is_the_generator_on_the_seeds_latents(make_model: MakeModel) -> None:
    model = make_model()
    z = np.stack([np.random.RandomState(seed).standard_normal(6) for seed in range(5, 8)])
    G, _ = make_nets(make_spec(), torch.float32)
    with torch.no_grad():
        x = G(torch.from_numpy(z).float())
        torch.testing.assert_close(model(torch.from_numpy(z).float()), x, rtol=1e-4, atol=1e-4)
    expected = np.clip(np.round(127.5 * x.numpy() + np.float32(127.5)), 0, 255)
    pixels = model.sample(3, seed=5, kind="tensor")
    assert pixels.dtype == torch.uint8
    assert levels(pixels.numpy(), expected) <= 1  # weights lie in memory as is fastest, which moves the last digits
    assert np.mean(pixels.numpy() != expected) < 0.01
    assert expected.std() > 10


@pytest.mark.parametrize("fields", [{}, {"resolution": 32, "fmap_base": 256, "fmap_max": 64}, {"num_labels": 3}])
def test_the_same_seed_gives_the_same_picture_in_any_batch(make_model: MakeModel, fields: dict[str, Any]) -> None:
    model = make_model(**fields)
    reference = model.sample(13, batch=16, kind="numpy")
    assert levels(reference[0], reference[1]) > 8
    for batch in (1, 2, 3, 8, 13):
        assert levels(model.sample(13, batch=batch, kind="numpy"), reference) <= 1
        assert levels(model.sample(4, seed=9, batch=batch, kind="numpy"), reference[9:]) <= 1


def test_equal_batch_sizes_give_identical_pictures(make_model: MakeModel) -> None:
    model = make_model(resolution=32, fmap_base=256, fmap_max=64)
    one = dict(zip(range(16), np.concatenate(list(model.batches(range(16), batch=4)))))
    order = [9, 3, 14, 0, 7, 7, 1, 12, 2, 15, 5, 11]
    other = np.concatenate(list(model.batches(order, batch=4)))
    assert all(np.array_equal(one[seed], picture) for seed, picture in zip(order, other))
    assert np.array_equal(other, np.concatenate(list(model.batches(order, batch=4))))


def test_kinds(make_model: MakeModel) -> None:
    model = make_model()
    tensor = model.sample(3, seed=1, kind="tensor")
    assert tensor.shape == (3, 3, 16, 16)
    assert np.array_equal(model.sample(3, seed=1, kind="numpy"), tensor.permute(0, 2, 3, 1).numpy())
    pictures = model.sample(3, seed=1)
    assert [picture.size for picture in pictures] == [(16, 16)] * 3
    assert np.array_equal(np.asarray(pictures[2]), tensor[2].permute(1, 2, 0).numpy())
    assert model.sample(0) == [] and model.sample(0, kind="numpy").shape == (0, 16, 16, 3)


def test_a_model_in_the_middle_of_a_fade_samples_its_stage(make_model: MakeModel) -> None:
    model = make_model(training={"resolution": 8, "alpha": 0.25})
    z, _ = draw(range(4), model.spec, {})
    assert model.resolution == 8
    assert torch.equal(model(z), model(z, None, 8, 0.25))
    with torch.no_grad():
        faded = (model(z, None, 8, 0.25) * 127.5 + 127.5).round().clamp(0, 255)
    assert np.array_equal(model.sample(4, kind="tensor").numpy(), faded.numpy())
    assert not torch.equal(model(z), model(z, None, 8, 1.0))


def test_psi_one_is_off(make_model: MakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    plain = model.sample(4, kind="numpy")
    monkeypatch.setattr(Model, "truncation_mean", None)  # not even asked for
    assert np.array_equal(model.sample(4, truncation=1.0, kind="numpy"), plain)


def test_psi_zero_makes_all_alike_and_psi_between_comes_closer(make_model: MakeModel) -> None:
    model = make_model()
    spread = [model.sample(8, truncation=psi, kind="numpy").astype(float).std(axis=0).mean() for psi in (1, 0.5, 0)]
    assert spread[0] > 1.3 * spread[1] > 0 and spread[2] == 0


def test_psi_zero_makes_a_class_alike(make_model: MakeModel) -> None:
    model = make_model(num_labels=3)
    middles = [model.sample(4, label=k, truncation=0, kind="numpy") for k in range(3)]
    assert all(np.array_equal(middle, np.broadcast_to(middle[0], middle.shape)) for middle in middles)
    assert min(levels(middles[a], middles[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 4
    mixed = model.sample(2, label=[0.5, 0.5, 0], truncation=0, kind="numpy")
    assert levels(mixed[0], mixed[1]) == 0 and levels(mixed, middles[0][:2]) > 2 < levels(mixed, middles[1][:2])


def plain_first(model: Model, seeds: range, labels: np.ndarray | None = None) -> np.ndarray:
    """The first layer's output in float64, from the formula."""
    state = {key: value.double().numpy() for key, value in model.G.state_dict().items()}
    weight, bias = state["4x4.dense.weight"], state["4x4.dense.bias"]
    z = np.stack([np.random.RandomState(seed).standard_normal(model.spec.z_size) for seed in seeds])
    z = z if labels is None else np.concatenate([z, labels], axis=1)
    z /= np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-8)
    scale = np.sqrt(2) / 4 / np.sqrt(z.shape[1])
    x = (z @ weight.T * scale).reshape(len(z), -1, 4, 4) + bias[:, None, None]
    x = np.where(x < 0, 0.2 * x, x)
    return np.asarray(x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-8))


def test_the_mean_is_over_ten_thousand_latents(make_model: MakeModel) -> None:
    model = make_model()
    assert MEAN_LATENTS == 10_000
    mean = plain_first(model, range(10_000)).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(model.truncation_mean(None).numpy(), mean, atol=1e-5)
    assert (
        np.abs(mean - plain_first(model, range(9_000)).mean(axis=0)).max() > 1e-4
    )  # so that a lesser count would show


def test_the_mean_of_a_class_is_over_a_thousand_latents(make_model: MakeModel) -> None:
    model = make_model(num_labels=2, training={"labels": {"counts": [1, 99]}})
    one_hot = np.eye(2)
    means = np.stack([plain_first(model, range(1000), one_hot[[k] * 1000]).mean(axis=0) for k in range(2)])
    np.testing.assert_allclose(model.truncation_mean(torch.tensor([0, 1, 0])).numpy(), means[[0, 1, 0]], atol=1e-5)
    mixture = model.truncation_mean(torch.tensor([[0.25, 0.75]]))
    np.testing.assert_allclose(mixture[0].numpy(), 0.25 * means[0] + 0.75 * means[1], atol=1e-5)


def test_the_mean_with_attributes_is_over_the_training_distribution(make_model: MakeModel) -> None:
    rows = [[1.0, 0.0], [1.0, 1.0], [1.0, 0.5]]
    model = make_model(num_labels=2, multi_label=True, training={"labels": {"rows": rows}})
    _, labels = draw(range(10_000), model.spec, model.distribution)
    assert labels is not None
    mean = plain_first(model, range(10_000), labels.numpy()).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(model.truncation_mean(labels[:3]).numpy(), mean, atol=1e-5)


def test_the_mean_of_the_file_is_used(make_model: MakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    mean = normal(1, 8, 4, 4).float()
    model = make_model(mean=mean)
    monkeypatch.setattr(Model, "_measured_mean", None)
    assert torch.equal(model.truncation_mean(None), mean)
    z, _ = draw([3], model.spec, {})
    with torch.no_grad():
        x = model.G.synthesize(mean + 0.5 * (model.G.first(z) - mean))
    expected = (x * 127.5 + 127.5).round().clamp(0, 255).numpy()
    assert np.array_equal(model.sample(1, seed=3, truncation=0.5, kind="tensor").numpy(), expected)


def test_classes_by_number_and_by_name(make_model: MakeModel) -> None:
    named = make_model(num_labels=3, training={"class_names": ["cat", "dog", "2"]})
    assert [named.label(text) for text in ("cat", "dog", "2", "1")] == [0, 1, 2, 1]
    assert named.labels([0, 1], named.label("dog")) == ["dog", "dog"]
    assert np.array_equal(named.sample(2, label=1, kind="numpy"), named.sample(2, label=[0.0, 1.0, 0.0], kind="numpy"))
    for text in ("cow", "3", "-1", "1.0", "²", ""):
        with pytest.raises(ConfigError, match=r"unknown class .*; this model has: cat, dog, 2"):
            named.label(text)
    mac = make_model(num_labels=3, training={"class_names": ["Brot", "Ka\u0308se", "2"]})
    assert mac.label("K\u00e4se") == mac.label("Ka\u0308se") == 1
    nameless = make_model(num_labels=3)
    with pytest.raises(ConfigError, match="this model has: 0 to 2"):
        nameless.label("cat")
    with pytest.raises(ConfigError, match="this model has no classes"):
        make_model().label("0")


def test_what_a_seed_shows_in_words(make_model: MakeModel) -> None:
    counts = {"labels": {"counts": [1, 2, 1]}}
    model = make_model(num_labels=3, training={**counts, "class_names": ["cat", "dog", "cow"]})
    _, labels = draw(range(1200), model.spec, counts["labels"])
    assert labels is not None
    assert model.labels(range(1200)) == [["cat", "dog", "cow"][k] for k in labels.tolist()]
    assert model.labels([5], [0.5, 0.25, 0.25]) == ["cat 0.5, dog 0.25, cow 0.25"]
    attributes = make_model(num_labels=2, multi_label=True, training={"labels": {"rows": [[1, 0]]}})
    assert attributes.labels([0, 1]) == ["0 1, 1 0"] * 2
    assert make_model().labels(range(10**9)) == []


def test_a_seed_s_own_class_makes_its_picture(make_model: MakeModel) -> None:
    model = make_model(num_labels=3, training={"labels": {"counts": [0, 1, 0]}})
    own = model.sample(4, kind="numpy")
    assert np.array_equal(own, model.sample(4, label=1, kind="numpy"))
    assert levels(own, model.sample(4, label=0, kind="numpy")) > 4


def test_impossible_wishes(make_model: MakeModel) -> None:
    model = make_model()
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"n": -1}, "cannot make -1 pictures"),
        ({"seed": -1}, "a seed must be between"),
        ({"seed": 2**32 - 1, "n": 2}, "a seed must be between"),
        ({"truncation": -0.1}, "truncation must be between 0 and 2, not -0.1"),
        ({"truncation": 2.1}, "truncation must be between"),
        ({"truncation": float("nan")}, "truncation must be between"),
        ({"batch": 0}, "the batch must be at least 1, not 0"),
        ({"label": 0}, "this model has no classes"),
    ]
    for wish, message in wishes:
        with pytest.raises(ConfigError, match=message):
            model.sample(**wish)
    z = np.zeros((1, model.spec.z_size))
    assert torch.equal(model(z), model(torch.zeros(1, model.spec.z_size)))  # type: ignore[arg-type]
    for more in ({"resolution": 12}, {"alpha": 2.0}):
        with pytest.raises(ConfigError):
            model(torch.from_numpy(z), **more)
    for network, wrong in ((model, torch.zeros(1, 5)), (make_model(num_labels=3), torch.from_numpy(z))):
        with pytest.raises(ConfigError):
            network(wrong)


def test_a_run_is_its_best_snapshot_else_its_newest(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run / "models", run / "models")
    names = ["best", "snapshot-000000000320", "snapshot-000000000256", "snapshot-000000000192"]
    names += [f"stage-{size:04d}x{size:04d}" for size in (16, 8, 4)]
    for name in names:
        model = growgan.load(run)
        assert model.file.path.stem == name
        assert isinstance(model, growgan.Model)
        model.file.path.unlink()
    with pytest.raises(ModelError, match="holds no model: a run folder has its snapshots in"):
        load(run)
    shutil.copy(tiny_run / "config.json", run)
    with pytest.raises(ModelError, match="has no snapshot yet: resume it"):
        load(run)


def test_a_file_by_path_or_text(tiny_run: Path) -> None:
    path = tiny_run / "models" / "stage-0008x0008.safetensors"
    assert load(path).resolution == load(str(path)).resolution == 8
    assert load(path).device == torch.device("cpu")


def test_nonsense_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a model")
    for source, message in {
        "no-such-model": "no-such-model: no such file, run folder or shipped model",
        str(tmp_path): "holds no model",
        str(tmp_path / "text"): "is not a complete .safetensors file",
        "": "holds no model",
    }.items():
        with pytest.raises(ModelError, match=message):
            growgan.load(source)


def test_importing_the_package_brings_nothing_heavy() -> None:
    script = (
        "import sys, growgan; print(growgan.__version__, {'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [growgan.__version__, "set()"]
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = growgan.nonsense


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64"])
def test_labels_of_any_integer_type_are_classes(make_model: MakeModel, kind: str) -> None:
    model = make_model(num_labels=3)
    z, _ = model.draw(range(3))
    labels = np.array([1, 2, 1])
    expected = model.render(z, labels, truncation=0.3, kind="numpy")
    assert np.array_equal(model.render(z, labels.astype(kind), truncation=0.3, kind="numpy"), expected)
    assert np.array_equal(model.render(z, labels.tolist(), truncation=0.3, kind="numpy"), expected)


def test_a_class_is_given_for_each_latent(make_model: MakeModel) -> None:
    model = make_model(num_labels=3)
    z, _ = model.draw(range(2))
    for some in (z, z[:1]):
        with pytest.raises(ConfigError, match="a class for each latent"):
            model.render(some, 1)  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16])
def test_seeds_of_numpy_s_kinds_are_numbers(make_model: MakeModel, kind: type[np.integer[Any]]) -> None:
    """Of these the largest and one more is the smallest."""
    model, last = make_model(), int(np.iinfo(kind).max)
    expected = model.sample(2, seed=last, kind="numpy")
    assert len(expected) == 2 and np.array_equal(model.sample(2, seed=kind(last), kind="numpy"), expected)


def test_a_call_is_truncated_as_samples_are_and_gradients_flow(make_model: MakeModel) -> None:
    model = make_model(num_labels=3)
    z, labels = model.draw(range(4))
    for psi in (0.0, 0.6):
        made = to_uint8(model(z, labels, psi=psi).detach())
        assert levels(made, model.sample(4, truncation=psi, kind="tensor").numpy()) <= 1
    at, psi = torch.from_numpy(z).requires_grad_(), torch.tensor(0.6, requires_grad=True)
    model(at, labels, psi=psi).square().sum().backward()
    assert psi.grad is not None and psi.grad != 0 and at.grad is not None and at.grad.abs().sum() > 0


def test_what_a_call_refuses(make_model: MakeModel) -> None:
    z = np.zeros((2, 6))
    for labels, said in (([0, 1], "no classes"), (None, "")):
        model = make_model()
        if labels is None:
            assert model(z).shape == (2, 3, 16, 16) and model(z[:0]).shape == (0, 3, 16, 16)
        else:
            with pytest.raises(ConfigError, match=said):
                model(z, labels)
    with pytest.raises(ConfigError, match="str"):
        make_model(num_labels=3)(z, ["cat", "cat"])


def test_changed_weights_have_a_mean_of_their_own(make_model: MakeModel) -> None:
    model = make_model(mean=torch.full((1, 8, 4, 4), 5.0))
    stored = model.means.clone()
    G = model.G
    assert torch.equal(model.means, stored), "looked at, not changed"
    with torch.no_grad():
        G.stage(4).dense.weight.mul_(-1)
    changed = model.means
    assert not torch.allclose(changed, stored, atol=0.1) and model.means is not None
    z, _ = draw(range(MEAN_LATENTS), model.spec, {})
    with torch.no_grad():
        torch.testing.assert_close(changed, G.first(z).mean(0, keepdim=True), rtol=1e-3, atol=1e-3)
    with torch.no_grad():  # by another order of the same weights too
        dense = G.stage(4).dense
        dense.weight.copy_(dense.weight.flip(0))
        torch.testing.assert_close(model.means, G.first(z).mean(0, keepdim=True), rtol=1e-3, atol=1e-3)
    called: list[int] = []
    G.register_forward_hook(lambda *_: called.append(1))
    model(z[:2])
    assert called == [1]
    G.double()
    assert model(z[:2]).dtype == torch.float64 and len(model.sample(2, truncation=0.5)) == 2
