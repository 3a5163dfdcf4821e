"""What G promises beyond its arithmetic: labels, switches, defaults, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
from making import make_labels, make_nets, make_spec, normal

from growgan.networks.generator import Generator, latent_vectors


def images(G: Generator, *args: object) -> torch.Tensor:
    with torch.no_grad():
        return G(*args)


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_any_number_of_channels(channels: int) -> None:
    G, D = make_nets(make_spec(16, channels=channels))
    for resolution in (4, 8, 16):
        fakes = images(G, normal(2, 6), None, resolution)
        assert fakes.shape == (2, channels, resolution, resolution)
        assert D(fakes)[0].shape == (2, 1)


def test_output_is_linear_in_the_last_layer() -> None:
    G, _ = make_nets(make_spec(8))
    z = normal(3, 6)
    before = images(G, z)
    with torch.no_grad():
        for parameter in G.stage(8).torgb.parameters():
            parameter.mul_(100)
    torch.testing.assert_close(images(G, z), 100 * before)


def test_one_label_means_one_thing() -> None:
    G, _ = make_nets(make_spec(8, num_labels=3))
    z, classes = normal(4, 6), make_labels("int", 4)
    assert torch.equal(images(G, z, classes), images(G, z, make_labels("one-hot", 4).float()))
    assert not torch.allclose(images(G, z, classes), images(G, z, (classes + 1) % 3))


@pytest.mark.parametrize("labels", ["int", "one-hot", "attributes"])
def test_the_norm_spans_latents_and_labels(labels: str) -> None:
    spec = make_spec(8, num_labels=3, multi_label=labels == "attributes")
    z, y = normal(5, 6), make_labels(labels, 5)
    vectors = latent_vectors(spec, z, y)
    hot = torch.eye(3, dtype=torch.float64)[y] if labels == "int" else y
    scale = torch.sqrt(((z**2).sum(1) + (hot**2).sum(1)) / 9 + 1e-8)[:, None]
    torch.testing.assert_close(vectors, torch.cat([z, hot], dim=1) / scale)


def test_latents_that_are_not_normalised_pass_as_they_are() -> None:
    spec = make_spec(8, num_labels=2, normalize_latents=False)
    z = 5 * normal(2, 6)
    assert latent_vectors(spec, z, torch.tensor([0, 1])).tolist() == torch.cat([z, torch.eye(2)], dim=1).tolist()


def test_length_of_z_matters_only_beside_labels() -> None:
    z = normal(3, 6)
    G, _ = make_nets(make_spec(8))
    torch.testing.assert_close(images(G, 3 * z), images(G, z), rtol=0, atol=1e-6)
    G, _ = make_nets(make_spec(8, num_labels=3))
    assert not torch.allclose(images(G, 3 * z, make_labels("int", 3)), images(G, z, make_labels("int", 3)), atol=1e-3)


def test_pixel_norm_is_on_every_activation_or_none() -> None:
    for pixelnorm in (True, False):
        G, _ = make_nets(make_spec(8, pixelnorm=pixelnorm))
        first = G.first(normal(3, 6)).detach()
        assert first.shape == (3, G.spec.width(4), 4, 4)
        unit = torch.allclose(first.square().mean(1), torch.ones((), dtype=first.dtype), atol=1e-3)
        assert unit == pixelnorm


def test_relu_instead_of_leaky() -> None:
    leaky, _ = make_nets(make_spec(8))
    relu, _ = make_nets(make_spec(8, leaky_relu=False))
    z = normal(3, 6)
    assert leaky.first(z).min() < 0
    assert relu.first(z).min() == 0
    assert not torch.allclose(images(leaky, z), images(relu, z), atol=1e-3)


def test_without_equalised_rates_the_start_is_the_same_and_the_slopes_are_not() -> None:
    z, grads, values = normal(3, 6), {}, {}
    for wscale in (True, False):
        G, _ = make_nets(make_spec(8, wscale=wscale))
        values[wscale] = G(z)
        values[wscale].square().sum().backward()
        grads[wscale] = {name: p.grad for name, p in G.named_parameters()}
    torch.testing.assert_close(values[True], values[False], rtol=0, atol=1e-5)
    he = math.sqrt(2 / (9 * 8))
    name = "8x8.conv1.weight"
    torch.testing.assert_close(grads[True][name], he * grads[False][name], rtol=1e-4, atol=1e-5)
    name = "8x8.conv1.bias"
    torch.testing.assert_close(grads[True][name], grads[False][name], rtol=1e-4, atol=1e-5)


def test_defaults_are_what_the_weights_have_reached() -> None:
    G, _ = make_nets(make_spec(16))
    z = normal(2, 6)
    assert torch.equal(images(G, z), images(G, z, None, 16, 1.0))
    G.resolution, G.alpha = 8, 0.3
    assert torch.equal(images(G, z), images(G, z, None, 8, 0.3))
    assert torch.equal(images(G, z, None, 8), images(G, z, None, 8, 0.3))
    assert torch.equal(images(G, z, None, None, 0.6), images(G, z, None, 8, 0.6))
    for other in (4, 16):
        assert torch.equal(images(G, z, None, other), images(G, z, None, other, 1.0))
    assert torch.equal(images(G, z, None, 4, 0.2), images(G, z, None, 4, 1.0)), "the first stage has nothing to fade"


@pytest.mark.parametrize("resolution", [0, -4, 2, 6, 12, 32])
def test_refuses_resolutions_that_it_does_not_have(resolution: int) -> None:
    G, _ = make_nets(make_spec(16))
    with pytest.raises(ValueError, match="resolution"):
        G(normal(1, 6), None, resolution)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan, math.inf])
def test_refuses_alpha_outside_0_to_1(alpha: float) -> None:
    G, _ = make_nets(make_spec(16))
    with pytest.raises(ValueError, match="alpha"):
        G(normal(1, 6), None, 8, alpha)


@pytest.mark.parametrize(
    "labels",
    [None, torch.tensor([0, 3]), torch.tensor([-1, 0]), torch.tensor([0]), torch.zeros(2, 4), torch.zeros(1, 3)],
)
def test_refuses_labels_that_do_not_fit(labels: torch.Tensor | None) -> None:
    G, _ = make_nets(make_spec(8, num_labels=3))
    with pytest.raises(ValueError, match="labels"):
        G(normal(2, 6), labels)


@pytest.mark.parametrize("labels", [torch.tensor([0.7, 0.2]), torch.tensor([0.0, 1.0]), torch.tensor([True, False])])
@pytest.mark.parametrize("multi_label", [True, False])
def test_refuses_labels_that_could_mean_two_things(labels: torch.Tensor, multi_label: bool) -> None:
    """One number an image is a class, and a class is a whole number: 0.7 must not become class 0."""
    G, _ = make_nets(make_spec(8, num_labels=2, multi_label=multi_label))
    with pytest.raises(ValueError, match="labels"):
        G(normal(2, 6), labels)


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (6,), (2, 6, 1)])
@pytest.mark.parametrize("num_labels", [0, 2])
def test_refuses_latents_that_do_not_fit(shape: tuple[int, ...], num_labels: int) -> None:
    G, _ = make_nets(make_spec(8, num_labels=num_labels))
    with pytest.raises(ValueError, match="z "):
        G(normal(*shape), torch.zeros(shape[0], dtype=torch.int64) if num_labels else None)


def test_every_picture_stands_alone() -> None:
    G, _ = make_nets(make_spec(16))
    z = normal(5, 6)
    torch.testing.assert_close(images(G, z)[2:3], images(G, z[2:3]), rtol=0, atol=1e-12)


def test_golden() -> None:
    """Numbers of the day on which the networks first agreed with `oracles.linear`; seeded networks must not change."""
    G, D = make_nets(make_spec(8, num_labels=2))
    fakes = images(G, normal(2, 6), torch.tensor([0, 1]), 8, 0.5)
    scores, logits = D(fakes, alpha=0.5)
    found = [fakes.sum().item(), *scores.flatten().tolist(), *logits.flatten().tolist()]
    assert found == pytest.approx([-67.778514, 0.004048, 0.246835, 1.473754, 0.025832, 1.406341, 0.148420], abs=2e-5)
