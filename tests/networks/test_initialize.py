"""Initial weights: one named draw for each layer, so that nothing around a layer changes its start."""

from __future__ import annotations

import torch
from making import make_spec
from torch import Tensor

from growgan.networks.generator import Generator
from growgan.networks.layers import initialize


def fresh(seed: int = 1, name: str = "G", resolution: int = 16) -> dict[str, Tensor]:
    G = Generator(make_spec(resolution, latent_size=8))
    initialize(G, seed, name)
    return G.state_dict()


def test_a_network_is_drawn_when_it_is_made() -> None:
    torch.manual_seed(0)
    G = Generator(make_spec(16, latent_size=8))
    weights = torch.cat([w.detach().flatten() for name, w in G.named_parameters() if name.endswith("weight")])
    assert abs(float(weights.std()) - 1) < 0.05 and abs(float(weights.mean())) < 0.05
    assert G(torch.randn(4, 8)).isfinite().all()
    torch.manual_seed(0)
    again = Generator(make_spec(16, latent_size=8)).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in G.state_dict().items())


def test_same_seed_same_weights_whatever_else_was_drawn() -> None:
    torch.manual_seed(0)
    first = fresh()
    torch.manual_seed(1)
    G = Generator(make_spec(16, latent_size=8))
    state = torch.get_rng_state()
    initialize(G, 1, "G")
    second = G.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"


def test_seed_and_name_matter() -> None:
    first = fresh()
    for other in (fresh(seed=2), fresh(name="D")):
        assert all(not torch.equal(first[name], other[name]) for name in first if name.endswith("weight"))


def test_layers_of_one_shape_differ() -> None:
    weights = [w for name, w in fresh().items() if name.endswith("weight")]
    alike = [(i, j) for i, a in enumerate(weights) for j, b in enumerate(weights[:i]) if a.shape == b.shape]
    assert len(alike) >= 3
    for i, j in alike:
        correlation = torch.corrcoef(torch.stack([weights[i].flatten(), weights[j].flatten()]))[0, 1].abs()
        assert correlation < 5 / weights[i].numel() ** 0.5


def test_a_stage_more_changes_no_lower_layer() -> None:
    small, large = fresh(resolution=8), fresh(resolution=32)
    assert all(torch.equal(small[name], large[name]) for name in small)


def test_again_means_anew() -> None:
    G = Generator(make_spec(8, latent_size=8))
    for parameter in G.parameters():
        torch.nn.init.constant_(parameter, 7)
    initialize(G, 1, "G")
    expected = fresh(resolution=8)
    assert all(torch.equal(value, expected[name]) for name, value in G.state_dict().items())
    assert all(not value.any() for name, value in expected.items() if name.endswith("bias"))
