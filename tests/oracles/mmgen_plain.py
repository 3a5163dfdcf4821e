"""PGGAN of mmgeneration and MMagic: its state dicts, and what its networks do with them."""

import math

import torch
from oracles.linear import enlarged, leaky, with_stddev
from oracles.origins import grow, random_like, shrink, sizes_to
from oracles.release_plain import spread
from torch.nn import functional as F

WIDTHS = (8, 8, 4)


def g_shapes(latent, widths, fused):
    shapes = {"noise2feat.bias": (1, widths[0], 1, 1), "noise2feat.linear.weight_orig": (16 * widths[0], latent)}
    layers = {"conv_blocks.0.conv": (widths[0], widths[0], 3, 3)}
    for i, width in enumerate(widths):
        layers[f"torgb_layers.{i}.conv"] = (3, width, 1, 1)
        if i:
            pair = (widths[i - 1], width) if fused else (width, widths[i - 1])
            layers[f"conv_blocks.{2 * i - 1}.conv"] = (*pair, 3, 3)
            layers[f"conv_blocks.{2 * i}.conv"] = (width, width, 3, 3)
    for name, shape in layers.items():
        transposed = fused and name.startswith("conv_blocks") and int(name.split(".")[1]) % 2
        shapes |= {f"{name}.weight_orig": shape, f"{name}.bias": shape[1:2] if transposed else shape[:1]}
    return shapes


def d_shapes(outputs, widths, hidden, stddev):
    layers = {"conv_blocks.0.conv": (widths[0], widths[0], 3, 3)}
    for i, width in enumerate(widths):
        layers[f"fromrgb_layers.{i}.conv"] = (width, 3, 1, 1)
        if i:
            layers[f"conv_blocks.{2 * i - 1}.conv"] = (width, width, 3, 3)
            layers[f"conv_blocks.{2 * i}.conv"] = (widths[i - 1], width, 3, 3)
    layers["decision.linear0"] = (hidden, 16 * (widths[0] + stddev))
    layers["decision.linear1"] = (outputs, hidden)
    return {
        key: s
        for name, shape in layers.items()
        for key, s in ((f"{name}.weight_orig", shape), (f"{name}.bias", shape[:1]))
    }


def make(shapes, seed):
    return random_like(shapes, seed)


def scaled(state, name, gain=2**0.5):
    """The fan-in is counted from the second axis on, also of a transposed convolution."""
    weight = state[f"{name}.weight_orig"]
    return weight * gain / math.sqrt(math.prod(weight.shape[1:]))


def conv(x, state, name, gain=2**0.5):
    weight = scaled(state, name, gain)
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)


def unit(x):
    return x / (torch.sqrt((x**2).sum(1, keepdim=True) / x.shape[1]) + 1e-6)


def generate(state, z, size, alpha, fused):
    def finish(x):
        return unit(leaky(x))

    def first():
        x = unit(z) @ scaled(state, "noise2feat.linear", math.sqrt(2) / 4).T
        x = finish(x.reshape(len(z), -1, 4, 4) + state["noise2feat.bias"])
        return finish(conv(x, state, "conv_blocks.0.conv"))

    def stage(s, x):
        i = sizes_to(s).index(s)
        name = f"conv_blocks.{2 * i - 1}.conv"
        if fused:
            weight = spread(scaled(state, name).permute(2, 3, 0, 1)).permute(2, 3, 0, 1)
            x = F.conv_transpose2d(x, weight, state[f"{name}.bias"], stride=2, padding=1)
        else:
            x = conv(enlarged(x, 2), state, name)
        return finish(conv(finish(x), state, f"conv_blocks.{2 * i}.conv"))

    def rgb(s, x):
        return conv(x, state, f"torgb_layers.{sizes_to(s).index(s)}.conv", gain=1)

    return grow(first, stage, rgb, size, alpha)


def judge(state, images, alpha, group):
    def rgb(s, x):
        return leaky(conv(x, state, f"fromrgb_layers.{sizes_to(s).index(s)}.conv"))

    def stage(s, x):
        i = sizes_to(s).index(s)
        x = leaky(conv(x, state, f"conv_blocks.{2 * i - 1}.conv"))
        name = f"conv_blocks.{2 * i}.conv"
        weight = spread(scaled(state, name).permute(2, 3, 0, 1)).permute(2, 3, 0, 1) / 4
        return leaky(F.conv2d(x, weight, state[f"{name}.bias"], stride=2, padding=1))

    def last(x):
        x = (with_stddev(x, group) if group else x).flatten(1)
        x = leaky(x @ scaled(state, "decision.linear0").T + state["decision.linear0.bias"])
        return x @ scaled(state, "decision.linear1", 1).T + state["decision.linear1.bias"]

    return shrink(images, rgb, stage, last, alpha)
