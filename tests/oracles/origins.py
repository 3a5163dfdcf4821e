"""What the arithmetic of all origins of progressive GANs has in common, stated plainly; each origin says its layers."""

import torch
from oracles.linear import enlarged, pooled


def sizes_to(resolution):
    """Sides of the stages."""
    return [4 << i for i in range(resolution.bit_length() - 2)]


def grow(first, stage, rgb, size, alpha):
    """Images of a generator: first() gives 4x4 features, stage(s, x) those of s from those below, rgb(s, x) images."""
    x = below = first()
    for s in sizes_to(size)[1:]:
        below, x = x, stage(s, x)
    images = rgb(size, x)
    if size > 4 and alpha < 1:
        images = alpha * images + (1 - alpha) * enlarged(rgb(size // 2, below), 2)
    return images


def shrink(images, rgb, stage, judge, alpha, fades=lambda size: True):
    """Outputs of a discriminator: rgb(s, images) features, stage(s, x) those of half the size, judge(x) of 4x4."""
    size = images.shape[-1]
    x = rgb(size, images)
    for s in reversed(sizes_to(size)[1:]):
        x = stage(s, x)
        if s == size and alpha < 1 and fades(size):
            x = alpha * x + (1 - alpha) * rgb(size // 2, pooled(images, 2))
    return judge(x)


def random_like(shapes, seed):
    """Weights N(0, 1) and smaller biases, float32, of these shapes by name."""
    random = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=random)
        * (0.3 if name.rpartition(".")[2].rpartition("/")[2] == "bias" else 1)
        for name, shape in shapes.items()
    }
