"""pytorch_GAN_zoo's progressive GAN: its state dicts, and what its networks do with them."""

import math

import torch
from oracles.linear import enlarged, norm, pooled
from oracles.origins import grow, random_like, shrink, sizes_to
from torch.nn import functional as F

DEPTHS = (8, 8, 4)


def g_shapes(latent, depths, channels):
    shapes = {"formatLayer": (16 * depths[0], latent), "groupScale0.0": (depths[0], depths[0], 3, 3)}
    for i, depth in enumerate(depths):
        shapes[f"toRGBLayers.{i}"] = (channels, depth, 1, 1)
        if i:
            shapes[f"scaleLayers.{i - 1}.0"] = (depth, depths[i - 1], 3, 3)
            shapes[f"scaleLayers.{i - 1}.1"] = (depth, depth, 3, 3)
    return shapes


def d_shapes(outputs, depths, channels, stddev):
    first = depths[0]
    shapes = {"decisionLayer": (outputs, first), "groupScaleZero.0": (first, first + stddev, 3, 3)}
    shapes["groupScaleZero.1"] = (first, 16 * first)
    for i, depth in enumerate(depths):
        shapes[f"fromRGBLayers.{i}"] = (depth, channels, 1, 1)
        if i:
            shapes[f"scaleLayers.{i - 1}.0"] = (depth, depth, 3, 3)
            shapes[f"scaleLayers.{i - 1}.1"] = (depths[i - 1], depth, 3, 3)
    return shapes


def make(shapes, seed):
    """A state dict; layers sit in `module` of the layer that scales them."""
    named = {}
    for name, shape in shapes.items():
        named |= {f"{name}.module.weight": shape, f"{name}.module.bias": shape[:1]}
    return random_like(named, seed)


def layer(x, state, name, equalized):
    """A layer whose output, bias and all, is multiplied by He's constant."""
    weight, bias = state[f"{name}.module.weight"], state[f"{name}.module.bias"]
    scale = math.sqrt(2 / math.prod(weight.shape[1:])) if equalized else 1
    if weight.dim() == 2:
        return (x @ weight.T + bias) * scale
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2) * scale


def leak(x, slope):
    return torch.where(x > 0, x, slope * x)


def generate(state, z, size, alpha, equalized=True, slope=0.2, tanh=False):
    """z: with labels beside it. alpha: ours, the weight of the newest layers."""

    def finish(x):
        return norm(leak(x, slope))

    def first():
        x = finish(layer(norm(z), state, "formatLayer", equalized).reshape(len(z), -1, 4, 4))
        return finish(layer(x, state, "groupScale0.0", equalized))

    def stage(s, x):
        i = sizes_to(s).index(s) - 1
        x = finish(layer(enlarged(x, 2), state, f"scaleLayers.{i}.0", equalized))
        return finish(layer(x, state, f"scaleLayers.{i}.1", equalized))

    def rgb(s, x):
        return layer(x, state, f"toRGBLayers.{sizes_to(s).index(s)}", equalized)

    images = grow(first, stage, rgb, size, alpha)
    return images.tanh() if tanh else images


def with_stddev(x):
    """Groups of four consecutive images, or one of all; the unbiased deviation."""
    n, _, h, w = x.shape
    size = min(4, n) if n % min(4, n) == 0 else n
    values = []
    for start in range(0, n, size):
        members = x[start : start + size]
        value = torch.zeros(())
        if size > 1:
            mean = members.sum(0) / size
            value = torch.sqrt(((members - mean) ** 2).sum(0) / (size - 1) + 1e-8).mean()
        values += [value] * size
    return torch.stack([torch.cat([x[i], values[i].expand(1, h, w)]) for i in range(n)])


def judge(state, images, alpha, equalized=True, slope=0.2, stddev=True):
    def rgb(s, x):
        return leak(layer(x, state, f"fromRGBLayers.{sizes_to(s).index(s)}", equalized), slope)

    def stage(s, x):
        i = sizes_to(s).index(s) - 1
        x = leak(layer(x, state, f"scaleLayers.{i}.0", equalized), slope)
        return pooled(leak(layer(x, state, f"scaleLayers.{i}.1", equalized), slope), 2)

    def last(x):
        x = with_stddev(x) if stddev else x
        x = leak(layer(x, state, "groupScaleZero.0", equalized), slope).flatten(1)
        x = leak(layer(x, state, "groupScaleZero.1", equalized), slope)
        return layer(x, state, "decisionLayer", equalized)

    return shrink(images, rgb, stage, last, alpha, fades=lambda size: size > 8)
