"""Start a network from the weights of another one of its kind: of another size, or for other pictures.

Effective weights are transferred, so that despite differences the new network at first does what the old one did: with
other channels, wider layers (`widening`) and any label, it shows the same picture and gives it the same score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from growgan.core import seeds
from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, stage_name, stages
from growgan.networks import widening
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import Equalized

Network = Generator | Discriminator


@torch.no_grad()
def take_over(new: Network, old: Network, top: int, labels: Sequence[int | None], seed: int = 0) -> None:
    """Copy the weights of `old` in the stages up to `top` pixels into `new`; other stages are left unchanged.

    labels: for each label of the new network, the old one with the same meaning, or None. Grey is copied to all colour
    channels, and colours are averaged to grey; otherwise the channels that both have are transferred. Both networks
    must be of one kind. Raises `ValueError` if a stage's width is not a multiple of the old one's. seed: for what
    distinguishes copies of a feature map; G and its average should share one.
    """
    kind = "D" if isinstance(new, Discriminator) else "G"
    for size in stages(top):
        for name, layer in new.stage(size).named_children():
            narrow: Equalized = old.stage(size).get_submodule(name)
            weight, bias = _as_it_acts(name, layer, narrow, new.spec, old.spec, labels)
            rows, columns = _copies(name, weight, layer.weight, kind == "D" and _counts_stddev(name, new.spec))
            draw = seeds.derive(seed, f"widen/{kind}/{stage_name(size)}.{name}")
            layer.weight.copy_(widening.shared(weight[rows], columns, draw))
            layer.bias.copy_(bias[rows if len(bias) == len(weight) else widening.copies(len(bias), len(layer.bias))])


def _copies(name: str, narrow: Tensor, wide: Tensor, stddev: bool) -> tuple[Tensor, Tensor]:
    """For each output and each input of the wide weight, the one of the narrow weight that it copies."""
    rows = widening.copies(len(narrow), len(wide), each=LOWEST**2 if name == "dense" else 1)
    pixels = LOWEST**2 if name == "dense0" else 1
    return rows, widening.copies(narrow.shape[1], wide.shape[1], each=pixels, single=int(stddev))


def _counts_stddev(name: str, spec: NetworkSpec) -> bool:
    """Whether the last input map of this layer of D is what minibatch stddev appends."""
    return spec.has_stddev and name == ("conv" if spec.variant.d_last_conv else "dense0")


def _as_it_acts(
    name: str, new: Equalized, old: Equalized, spec: NetworkSpec, before: NetworkSpec, labels: Sequence[int | None]
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the old layer, converted to the channels, labels and scale of the new one."""
    weight: Tensor = old.weight
    bias: Tensor = old.bias
    ratio = old.scale / new.scale
    if name == "torgb" and spec.channels != before.channels:
        shown = _recoloured(before.channels, spec.channels)
        weight, bias = torch.einsum("nc,cikl->nikl", shown, weight), shown @ bias
    elif name == "fromrgb" and spec.channels != before.channels:
        seen = _recoloured(spec.channels, before.channels)
        weight = torch.einsum("ockl,cn->onkl", weight, seen)
    elif name == "dense":  # the latents' columns, then one for each label
        z = before.z_size
        weight = torch.cat([weight[:, :z], _chosen(weight[:, z:].T, labels).T], dim=1)
        if spec.normalize_latents and spec.variant.labels_normed:
            # The norm spans the labels and already compensates for the scale.
            ratio *= math.sqrt(old.weight.shape[1] / new.weight.shape[1])
    elif name == "dense1":  # the score, then a logit for each label
        weight = torch.cat([weight[:1], _chosen(weight[1:], labels)])
        bias = torch.cat([bias[:1], _chosen(bias[1:], labels)])
    return (weight if ratio == 1 else weight * ratio), bias


def _recoloured(channels: int, into: int) -> Tensor:
    """The matrix that converts a picture to `into` channels: [into, channels]."""
    if channels == 1:
        return torch.ones(into, 1)
    return torch.full((1, channels), 1 / channels) if into == 1 else torch.eye(into, channels)


def _chosen(rows: Tensor, labels: Sequence[int | None]) -> Tensor:
    """The rows of these labels, and zeros for None."""
    found = rows.new_zeros((len(labels), *rows.shape[1:]))
    for i, label in enumerate(labels):
        if label is not None:
            found[i] = rows[label]
    return found
