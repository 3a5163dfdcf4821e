"""The authors' Theano version: its arrays in order, and what its networks do with them.

A convolution there is one in the mathematician's sense: the kernel turned by half a turn. The stored scale of a layer
multiplies what comes out of it before the bias is added.
"""

import torch
from oracles.linear import enlarged, leaky, norm, pooled, with_stddev
from oracles.origins import grow, shrink, sizes_to
from torch.nn import functional as F

BASE = {"num_channels": 3, "resolution": 16, "label_size": 0, "fmap_base": 32, "fmap_max": 8, "latent_size": 6}


def maps(kwargs, stage):
    return min(int(kwargs["fmap_base"] / 2.0**stage), kwargs["fmap_max"])


def make(kwargs, seed, kind):
    """Layers in the order of the file: (name, weight, scale or None, bias)."""
    random = torch.Generator().manual_seed(seed)
    layers = []

    def add(name, *shape, outputs=0):
        weight = torch.randn(shape, generator=random)
        scale = float(torch.rand((), generator=random)) * 0.3 + 0.1
        count = shape[outputs]
        bias = 0.3 * torch.randn(count, generator=random)
        scaled = kwargs.get("use_wscale", True)
        layers.append((name, weight if scaled else 0.2 * weight, scale if scaled else None, bias))

    top, c, labels = kwargs["resolution"].bit_length() - 1, kwargs["num_channels"], kwargs["label_size"]
    if kind == "G":
        add("a1", maps(kwargs, 1), kwargs["latent_size"] + labels, 4, 4)
        add("b1", maps(kwargs, 1), maps(kwargs, 1), 3, 3)
        for i in range(2, top):
            add(f"a{i}", maps(kwargs, i), maps(kwargs, i - 1), 3, 3)
            add(f"b{i}", maps(kwargs, i), maps(kwargs, i), 3, 3)
        for lod in range(top - 1):
            add(f"rgb{lod}", maps(kwargs, top - 1 - lod), c, outputs=1)
        return layers
    add("rgb0", c, maps(kwargs, top - 1), outputs=1)
    for i in range(top - 1, 1, -1):
        add(f"b{i}", maps(kwargs, i), maps(kwargs, i), 3, 3)
        add(f"a{i}", maps(kwargs, i - 1), maps(kwargs, i), 3, 3)
        add(f"rgb{top - i}", c, maps(kwargs, i - 1), outputs=1)
    extra = kwargs.get("mbstat_avg", "all") is not None
    add("b1", maps(kwargs, 1), maps(kwargs, 1) + extra, 3, 3)
    add("a1", maps(kwargs, 0), maps(kwargs, 1), 4, 4)
    add("scores", maps(kwargs, 0), 1, outputs=1)
    if labels:
        add("labels", maps(kwargs, 0), labels, outputs=1)
    return layers


def layer(x, layers, name, padding=0):
    _, weight, scale, bias = next(found for found in layers if found[0] == name)
    if weight.dim() == 2:
        x = torch.einsum("nc...,ck->nk...", x, weight)
    else:
        x = F.conv2d(x, torch.flip(weight, (2, 3)), padding=padding)
    x = x * (1 if scale is None else scale)
    return x + bias.reshape(1, -1, *[1] * (x.dim() - 2))


def generate(layers, kwargs, z, labels, size, alpha):
    def finish(x):
        x = leaky(x) if kwargs.get("use_leakyrelu", True) else x.clamp(min=0)
        return norm(x) if kwargs.get("use_pixelnorm", True) else x

    def first():
        x = norm(z) if kwargs.get("normalize_latents", True) else z
        x = x if labels is None else torch.cat([x, labels], dim=1)
        return finish(layer(finish(layer(x[:, :, None, None], layers, "a1", 3)), layers, "b1", 1))

    def stage(s, x):
        i = sizes_to(s).index(s) + 1
        return finish(layer(finish(layer(enlarged(x, 2), layers, f"a{i}", 1)), layers, f"b{i}", 1))

    def rgb(s, x):
        return layer(x, layers, f"rgb{len(sizes_to(kwargs['resolution'])) - len(sizes_to(s))}")

    images = grow(first, stage, rgb, size, alpha)
    return images.tanh() if kwargs.get("tanh_at_end") else images


def judge(layers, kwargs, images, alpha):
    def rgb(s, x):
        return leaky(layer(x, layers, f"rgb{len(sizes_to(kwargs['resolution'])) - len(sizes_to(s))}"))

    def stage(s, x):
        i = sizes_to(s).index(s) + 1
        return pooled(leaky(layer(leaky(layer(x, layers, f"b{i}", 1)), layers, f"a{i}", 1)), 2)

    def last(x):
        x = with_stddev(x, None) if kwargs.get("mbstat_avg", "all") else x
        x = leaky(layer(leaky(layer(x, layers, "b1", 1)), layers, "a1")).flatten(1)
        heads = ["scores"] + ["labels"] * bool(kwargs["label_size"])
        return torch.cat([layer(x, layers, head) for head in heads], dim=1)

    return shrink(images, rgb, stage, last, alpha)
