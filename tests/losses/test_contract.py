"""What every loss in the table keeps to."""

from __future__ import annotations

import pytest
import torch
from making import LABELS, FixedDraws, joined, label_fields, make_labels, make_nets, make_spec, normal
from torch import nn

from growgan.core.config import LossConfig
from growgan.losses import LOSSES, create
from growgan.losses.base import StepInfo

N = 4
STAGES = [(4, 1.0), (8, 0.4), (8, 1.0), (16, 0.4)]
"""Of a network for 16 pixels."""


def used(network: nn.Module, resolution: int, alpha: float, rgb: str) -> set[str]:
    """Names of the parameters that an image of this stage passes through."""
    sizes = [size for size in (4, 8, 16) if size <= resolution]
    with_rgb = sizes[-2:] if alpha < 1 else sizes[-1:]
    names = set()
    for name, _ in network.named_parameters():
        stage, layer, _ = name.split(".")
        size = int(stage.split("x")[0])
        if size in (with_rgb if layer == rgb else sizes):
            names.add(name)
    return names


def reached(network: nn.Module) -> set[str]:
    found = set()
    for name, parameter in network.named_parameters():
        if parameter.grad is not None and parameter.grad.any():
            assert parameter.grad.isfinite().all(), name
            found.add(name)
    return found


@pytest.mark.parametrize(("resolution", "alpha"), STAGES)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", LOSSES)
def test_finite_and_reaches_every_used_parameter(name: str, labels: str, resolution: int, alpha: float) -> None:
    G, D = make_nets(make_spec(16, **label_fields(labels)))
    loss = create(LossConfig(name=name), G.spec.multi_label)
    loss.after_d_step({"score_fake": torch.tensor(1.0), "score_real": torch.tensor(0.0)})
    reals, y, draws = normal(N, 3, resolution, resolution), make_labels(labels, N), FixedDraws(N)

    def critic(x, parts=1, on_input=None):
        return D(x, alpha=alpha, parts=parts, on_input=on_input)

    with torch.no_grad():
        fakes = G(normal(N, G.spec.z_size), y, resolution, alpha)
    terms = joined(loss.d_terms(critic, reals, fakes, y, draws, StepInfo(resolution, 16 / resolution)))
    assert terms.total.shape == () and all(part.isfinite() and part.shape == () for part in terms.parts.values())
    torch.testing.assert_close(terms.total, sum(terms.parts.values()))
    terms.total.backward()
    expected = used(D, resolution, alpha, "fromrgb")
    if name == "relativistic" and labels == "none":  # of all scores alike
        expected.remove("4x4.dense1.bias")
        D.get_parameter("4x4.dense1.bias").grad.round_(decimals=15)
    assert reached(D) == expected
    assert reals.grad is None and not reals.requires_grad
    loss.after_d_step(terms.stats)
    assert all(value.isfinite().all() and not value.requires_grad for value in loss.state.values())

    D.zero_grad()
    D.requires_grad_(False)
    fakes = G(normal(N, G.spec.z_size, seed=1), y, resolution, alpha)
    terms = loss.g_terms(critic, reals, fakes, y, draws)
    assert terms.total.isfinite() and terms.total.shape == ()
    terms.total.backward()
    assert reached(G) == used(G, resolution, alpha, "torgb")
    assert reached(D) == set()


@pytest.mark.parametrize("labels", ["none", "int"])
@pytest.mark.parametrize("name", LOSSES)
def test_groups_one_after_the_other_give_the_gradients_of_the_whole(name: str, labels: str) -> None:
    _, D = make_nets(make_spec(8, **label_fields(labels)))
    loss = create(LossConfig(name=name), False)
    reals, fakes, y = normal(N, 3, 8, 8), normal(N, 3, 8, 8, seed=1), make_labels(labels, N)
    joined(loss.d_terms(D, reals, fakes, y, FixedDraws(N), StepInfo(8, 2))).total.backward()
    whole = {path: p.grad.clone() for path, p in D.named_parameters() if p.grad is not None}
    D.zero_grad()
    groups = 0
    for terms in loss.d_terms(D, reals, fakes, y, FixedDraws(N), StepInfo(8, 2)):
        terms.total.backward()  # would fail on what an earlier group has used up
        groups += 1
    assert groups == 1 if name == "relativistic" else groups > 1  # pairs have all in common
    for path, gradient in whole.items():
        torch.testing.assert_close(D.get_parameter(path).grad, gradient)


@pytest.mark.parametrize("name", LOSSES)
def test_terms_lead_g_and_d_against_each_other(name: str) -> None:
    """D's step makes D tell reals from fakes better; G's terms fall when its fakes are scored as reals are."""
    _, D = make_nets(make_spec(8))
    loss = create(LossConfig(name=name), False)
    reals, fakes = normal(8, 3, 8, 8) + 1, normal(8, 3, 8, 8, seed=1) - 1
    optimizer = torch.optim.Adam(D.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        joined(loss.d_terms(D, reals, fakes, None, FixedDraws(8), StepInfo(4))).total.backward()
        optimizer.step()
    as_fakes, as_reals = (loss.g_terms(D, reals, x, None, FixedDraws(8)).total.item() for x in (fakes, reals))
    assert as_reals < as_fakes - 0.1


def test_unknown_names_cannot_be_configured() -> None:
    assert set(LOSSES) == {"wgan_gp", "lsgan", "logistic", "relativistic"}
