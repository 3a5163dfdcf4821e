"""pro-gan-pth 3: its state dicts, and what its networks do with them."""

import math

from oracles.linear import enlarged, leaky, norm, pooled, with_stddev
from oracles.origins import grow, random_like, shrink, sizes_to
from torch.nn import functional as F

WIDTHS = (8, 8, 4)


def g_shapes(latent, widths, channels):
    shapes = {"layers.0.conv_1.weight": (latent, widths[0], 4, 4), "layers.0.conv_1.bias": widths[:1]}
    layers = {"layers.0.conv_2": (widths[0], widths[0], 3, 3)}
    for i, width in enumerate(widths):
        layers[f"rgb_converters.{i}"] = (channels, width, 1, 1)
        if i:
            layers |= {f"layers.{i}.conv_1": (width, widths[i - 1], 3, 3), f"layers.{i}.conv_2": (width, width, 3, 3)}
    return shapes | _named(layers)


def d_shapes(hidden, widths, channels):
    last, layers = len(widths) - 1, {}
    for i, width in enumerate(widths):
        layers[f"from_rgb.{last - i}.0"] = (width, channels, 1, 1)
        if i:
            layers[f"layers.{last - i}.conv_1"] = (width, width, 3, 3)
            layers[f"layers.{last - i}.conv_2"] = (widths[i - 1], width, 3, 3)
    layers[f"layers.{last}.conv_1"] = (widths[0], widths[0] + 1, 3, 3)
    layers |= {f"layers.{last}.conv_2": (hidden, widths[0], 4, 4), f"layers.{last}.conv_3": (1, hidden, 1, 1)}
    return _named(layers)


def _named(layers):
    return {
        f"{name}.{part}": shape if part == "weight" else shape[:1]
        for name, shape in layers.items()
        for part in ("weight", "bias")
    }


def make(shapes, seed):
    return random_like(shapes, seed)


def layer(x, state, name, eql, padding):
    weight = state[f"{name}.weight"]
    scale = math.sqrt(2) / math.sqrt(math.prod(weight.shape[1:])) if eql else 1
    return F.conv2d(x, weight * scale, state[f"{name}.bias"], padding=padding)


def generate(state, z, size, alpha, eql=True):
    def first():
        weight = state["layers.0.conv_1.weight"]
        scale = math.sqrt(2) / math.sqrt(len(weight)) if eql else 1
        x = F.conv_transpose2d(norm(z)[:, :, None, None], weight * scale, state["layers.0.conv_1.bias"])
        return norm(leaky(layer(leaky(x), state, "layers.0.conv_2", eql, 1)))

    def stage(s, x):
        name = f"layers.{sizes_to(s).index(s)}"
        x = norm(leaky(layer(enlarged(x, 2), state, f"{name}.conv_1", eql, 1)))
        return norm(leaky(layer(x, state, f"{name}.conv_2", eql, 1)))

    def rgb(s, x):
        return layer(x, state, f"rgb_converters.{sizes_to(s).index(s)}", eql, 0)

    return grow(first, stage, rgb, size, alpha)


def judge(state, images, alpha, count, eql=True):
    """Scores [N, 1]; count: of stages."""

    def rgb(s, x):
        return leaky(layer(x, state, f"from_rgb.{count - 1 - sizes_to(s).index(s)}.0", eql, 0))

    def stage(s, x):
        name = f"layers.{count - 1 - sizes_to(s).index(s)}"
        x = leaky(layer(x, state, f"{name}.conv_1", eql, 1))
        return pooled(leaky(layer(x, state, f"{name}.conv_2", eql, 1)), 2)

    def last(x):
        name = f"layers.{count - 1}"
        x = leaky(layer(with_stddev(x, 4), state, f"{name}.conv_1", eql, 1))
        return layer(leaky(layer(x, state, f"{name}.conv_2", eql, 0)), state, f"{name}.conv_3", eql, 0).flatten(1)

    return shrink(images, rgb, stage, last, alpha)
