"""Weights carried over to networks of another size, other channels and other labels: equal, or acting as before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from making import make_labels, make_nets, make_spec, normal

from growgan.core.config import Variant
from growgan.networks import widening
from growgan.networks.transfer import take_over


def transferred(before: dict[str, Any], now: dict[str, Any], top: int, labels: tuple[int | None, ...] = ()):
    """The old G and D, and new ones that have begun with their weights."""
    old, new = make_nets(make_spec(**before), seed=1), make_nets(make_spec(**now), seed=2)
    for one, other in zip(new, old):
        take_over(one.float(), other.float(), top, labels)
    return old, new


@pytest.mark.parametrize(("before", "now", "top"), [(16, 16, 16), (16, 32, 16), (32, 8, 8), (32, 16, 8)])
def test_stages_up_to_the_top_are_the_old_ones_and_the_others_stay(before, now, top):
    fresh = make_nets(make_spec(now), seed=2)
    old, new = transferred({"resolution": before}, {"resolution": now}, top)
    for one, other, untouched in zip(new, old, fresh):
        theirs, start = other.state_dict(), untouched.float().state_dict()
        for name, value in one.state_dict().items():
            taken = int(name.partition("x")[0]) <= top
            assert torch.equal(value, (theirs if taken else start)[name]), name
            assert not taken or not torch.equal(value, start[name]), name


@pytest.mark.parametrize("wscale", [True, False])
def test_grey_becomes_colour_and_colour_grey(wscale):
    grey, colour = {"channels": 1, "wscale": wscale}, {"channels": 3, "wscale": wscale}
    z = normal(4, 6).float()
    for before, now in ((grey, colour), (colour, grey)):
        (G, D), (new_G, new_D) = transferred(before, now, 16)
        for size, alpha in ((8, 1.0), (16, 0.4)):
            pictures = G(z, None, size, alpha)
            shown = pictures.expand(-1, 3, -1, -1) if before is grey else pictures.mean(1, keepdim=True)
            torch.testing.assert_close(new_G(z, None, size, alpha), shown)
        x = normal(4, 1, 16, 16).float()
        as_old, as_new = (x, x.expand(-1, 3, -1, -1)) if before is grey else (x.expand(-1, 3, -1, -1), x)
        torch.testing.assert_close(new_D(as_new, alpha=0.4)[0], D(as_old, alpha=0.4)[0])


def test_a_new_channel_begins_in_the_middle_and_unseen():
    (G, D), (new_G, new_D) = transferred({"channels": 3}, {"channels": 4}, 16)
    z, x = normal(4, 6).float(), normal(4, 3, 16, 16).float()
    pictures = new_G(z)
    torch.testing.assert_close(pictures[:, :3], G(z))
    assert not pictures[:, 3].any()
    opaque = torch.cat([x, torch.ones(4, 1, 16, 16)], dim=1)
    torch.testing.assert_close(new_D(opaque)[0], D(x)[0])


def test_labels_of_the_same_meaning_are_carried_over_and_new_ones_change_nothing_yet():
    """Two classes of three, in another order, and a new one between them."""
    (G, D), (new_G, new_D) = transferred({"num_labels": 3}, {"num_labels": 3}, 16, (2, None, 0))
    z, x = normal(4, 6).float(), normal(4, 3, 16, 16).float()
    for new, old in ((0, 2), (2, 0)):
        of = [torch.full((4,), k) for k in (new, old)]
        torch.testing.assert_close(new_G(z, of[0]), G(z, of[1]))
    (scores, logits), (old_scores, old_logits) = new_D(x), D(x)
    torch.testing.assert_close(scores, old_scores)
    torch.testing.assert_close(logits[:, [0, 2]], old_logits[:, [2, 0]])
    assert not logits[:, 1].any()
    assert not new_G.stage(4).dense.weight[:, 6 + 1].any()


@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize(("before", "now"), [("none", "int"), ("int", "none")])
def test_labels_that_come_or_go(before, now, normed):
    """Latents act as before: where the norm spans the labels, but for the one unit that a label adds to it."""
    kinds = {"none": {"num_labels": 0}, "int": {"num_labels": 3}}
    fields = {"latent_size": 400, "normalize_latents": normed, "pixelnorm": False}
    labels = (None,) * kinds[now]["num_labels"]
    (G, D), (new_G, new_D) = transferred(kinds[before] | fields, kinds[now] | fields, 16, labels)
    z, x = normal(4, 400).float(), normal(4, 3, 16, 16).float()
    columns = [G.stage(4).dense.weight, new_G.stage(4).dense.weight]
    plain, new = (w[:, :400] * layer.scale for w, layer in zip(columns, (G.stage(4).dense, new_G.stage(4).dense)))
    if normed:  # times the norm's root of the inputs, one for both
        plain, new = plain * columns[0].shape[1] ** 0.5, new * columns[1].shape[1] ** 0.5
    torch.testing.assert_close(new, plain)
    if now == "int":
        pictures = [new_G(z, torch.full((4,), k)) for k in range(3)]
        assert torch.equal(pictures[0], pictures[2])
        torch.testing.assert_close(pictures[0], G(z), rtol=0.01, atol=0.01)
    torch.testing.assert_close(new_D(x)[0], D(x)[0])


def test_equalised_weights_act_as_before_without_equalising():
    (G, D), (new_G, new_D) = transferred({"wscale": True}, {"wscale": False}, 16)
    z, x = normal(4, 6).float(), normal(4, 3, 16, 16).float()
    torch.testing.assert_close(new_G(z), G(z))
    torch.testing.assert_close(new_D(x)[0], D(x)[0])


# Widths


@pytest.mark.parametrize(
    "fields",
    [
        {"num_labels": 3},
        {"wscale": False, "d_down": "pool_act"},
        {"stddev_group": 0, "normalize_latents": False},
        {"variant": Variant(d_last_conv=False, first_bias="pixel")},
        {"variant": Variant(d_last_conv=False), "stddev_group": 1},
    ],
    ids=["labels", "not equalised", "no stddev", "stddev before dense0", "neither"],
)
@pytest.mark.parametrize("wide", [{"fmap_max": 16}, {"fmap_base": 96, "fmap_max": 24}], ids=["some stages", "all"])
def test_wider_networks_act_as_before(fields, wide):
    """Widths are 8, 8 and 4 from below, and 8 outputs of D's dense layer; then 16, 8, 4 and 16, or all thrice that."""
    (G, D), (new_G, new_D) = transferred(fields, fields | wide, 16, tuple(range(fields.get("num_labels", 0))))
    assert new_G.stage(4).conv.weight.numel() >= 4 * G.stage(4).conv.weight.numel()
    labels = torch.arange(8) % 3 if "num_labels" in fields else None
    z, x = normal(8, 6).float(), normal(8, 3, 16, 16).float()
    for size, alpha in ((4, 1.0), (8, 1.0), (16, 0.4)):
        torch.testing.assert_close(new_G(z, labels, size, alpha), G(z, labels, size, alpha), rtol=1e-4, atol=1e-4)
        for one, other in zip(new_D(x[..., :size, :size], alpha=alpha), D(x[..., :size, :size], alpha=alpha)):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_copies_of_a_feature_map_part_at_once():
    """They act alike; but Adam's steps go by the sign of the gradient, and that is as often the other one's as not."""
    _, (G, D) = transferred({}, {"fmap_max": 16}, 16)
    G(normal(8, 6).float()).square().sum().backward()
    D(normal(8, 3, 16, 16).float())[0].square().sum().backward()
    for layer in (G.stage(4).dense, G.stage(4).conv, D.stage(8).conv1, D.stage(4).conv, D.stage(4).dense0):
        half = len(layer.weight) // 2
        ours, twins = layer.weight.grad[:half].sign(), layer.weight.grad[half:].sign()
        assert (ours == twins).float().mean() < 0.75


def test_shares_of_copies_add_up_and_keep_the_mean_square():
    weight, inputs = normal(64, 32, 3, 3).float(), widening.copies(33, 97, single=1)[:-1]
    wide = widening.shared(weight, inputs, 5)
    assert wide.shape == (64, 96, 3, 3)
    torch.testing.assert_close(wide.view(64, 3, 32, 3, 3).sum(1), weight, rtol=1e-4, atol=1e-5)
    # Scaled by the root of the fan-in, which is thrice as large.
    assert (3 * wide.square().mean()).item() == pytest.approx(weight.square().mean().item(), rel=0.02)
    assert torch.equal(widening.shared(weight, torch.arange(32), 5), weight)


def test_a_network_and_its_average_are_widened_alike():
    old, _ = make_nets(make_spec(), seed=1)
    new = [make_nets(make_spec(fmap_max=16), seed=k)[0] for k in (2, 3, 4)]
    for network, seed in zip(new, (5, 5, 6)):
        take_over(network, old.double(), 16, (), seed)
    one, average, other = (network.state_dict() for network in new)
    assert all(torch.equal(value, average[name]) for name, value in one.items())
    assert not torch.equal(one["4x4.conv.weight"], other["4x4.conv.weight"])


@pytest.mark.parametrize("fmap_max", [4, 12])
def test_other_widths_are_refused(fmap_max):
    old, new = make_nets(make_spec()), make_nets(replace(make_spec(), fmap_max=fmap_max))
    with pytest.raises(ValueError, match="not a multiple"):
        take_over(new[0], old[0], 16, ())


def test_mixtures_of_labels_are_carried_over():
    (G, _), (new_G, _) = transferred({"num_labels": 3}, {"num_labels": 3}, 16, (0, 1, 2))
    labels = make_labels("mixture", 4).float()
    assert torch.equal(new_G(normal(4, 6).float(), labels), G(normal(4, 6).float(), labels))
