"""A network that begins with the weights of another one of its kind: of another size, or for other pictures.

Weights are carried over as they act, so that where something differs the new network does at first what the old one
did: it shows the same picture in other channels, whatever the label, and gives it the same score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.geometry import stages
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import Equalized

Network = Generator | Discriminator


@torch.no_grad()
def take_over(new: Network, old: Network, top: int, labels: Sequence[int | None]) -> None:
    """Give `new` the weights that `old` has in the stages up to `top` pixels; the others stay as they are.

    labels: for each label of the new network the one of the old that means the same, or None. Between grey and colour
    a channel stands for all of them, and all for their mean; else the channels that both have are carried over. Both
    networks are of one kind; raises RuntimeError where their layers have other widths.
    """
    for size in stages(top):
        for kind, layer in new.stage(size).named_children():
            _take(kind, layer, old.stage(size).get_submodule(kind), new.spec, old.spec, labels)


def _take(
    kind: str, new: Equalized, old: Equalized, spec: NetworkSpec, before: NetworkSpec, labels: Sequence[int | None]
) -> None:
    weight: Tensor = old.weight
    bias: Tensor = old.bias
    ratio = old.scale / new.scale
    if kind == "torgb" and spec.channels != before.channels:
        shown = _recoloured(before.channels, spec.channels)
        weight, bias = torch.einsum("nc,cikl->nikl", shown, weight), shown @ bias
    elif kind == "fromrgb" and spec.channels != before.channels:
        seen = _recoloured(spec.channels, before.channels)
        weight = torch.einsum("ockl,cn->onkl", weight, seen)
    elif kind == "dense":  # the latents' columns, then one for each label
        z = before.z_size
        weight = torch.cat([weight[:, :z], _chosen(weight[:, z:].T, labels).T], dim=1)
        if (
            spec.normalize_latents and spec.variant.labels_normed
        ):  # the norm spans the labels and makes up for the scale
            ratio *= math.sqrt(old.weight.shape[1] / new.weight.shape[1])
    elif kind == "dense1":  # the score, then a logit for each label
        weight = torch.cat([weight[:1], _chosen(weight[1:], labels)])
        bias = torch.cat([bias[:1], _chosen(bias[1:], labels)])
    new.weight.copy_(weight if ratio == 1 else weight * ratio)
    new.bias.copy_(bias)


def _recoloured(channels: int, into: int) -> Tensor:
    """How a picture of so many channels is shown in others: [into, channels]."""
    if channels == 1:
        return torch.ones(into, 1)
    return torch.full((1, channels), 1 / channels) if into == 1 else torch.eye(into, channels)


def _chosen(rows: Tensor, labels: Sequence[int | None]) -> Tensor:
    """The rows of these labels, and zeros for those without one."""
    found = rows.new_zeros((len(labels), *rows.shape[1:]))
    for i, label in enumerate(labels):
        if label is not None:
            found[i] = rows[label]
    return found
