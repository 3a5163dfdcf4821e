"""The authors' TensorFlow release: its variables, and what its networks do with them; NumPy layouts [k, k, in, out]."""

import math

import torch
from oracles.linear import enlarged, leaky, pooled, with_stddev
from oracles.origins import grow, random_like, shrink, sizes_to
from torch.nn import functional as F

BASE = {"num_channels": 3, "resolution": 16, "label_size": 0, "fmap_base": 32, "fmap_max": 8, "latent_size": 6}


def maps(kwargs, stage):
    return min(int(kwargs["fmap_base"] / 2.0**stage), kwargs["fmap_max"])


def g_shapes(kwargs):
    """Shapes of G's variables, in the release's order."""
    top, c = kwargs["resolution"].bit_length() - 1, kwargs["num_channels"]
    width = maps(kwargs, 1)
    shapes = {
        "4x4/Dense/weight": (kwargs["latent_size"] + kwargs["label_size"], width * 16),
        "4x4/Dense/bias": (width,),
    }
    shapes |= {"4x4/Conv/weight": (3, 3, width, width), "4x4/Conv/bias": (width,)}
    for r in range(2, top + 1):
        name, here, below = f"{2**r}x{2**r}", maps(kwargs, r - 1), maps(kwargs, r - 2)
        if r > 2:
            fused = kwargs.get("fused_scale", True)
            pair = (here, below) if fused else (below, here)
            shapes |= {
                f"{name}/Conv0{'_up' * fused}/weight": (3, 3, *pair),
                f"{name}/Conv0{'_up' * fused}/bias": (here,),
            }
            shapes |= {f"{name}/Conv1/weight": (3, 3, here, here), f"{name}/Conv1/bias": (here,)}
        shapes |= {f"ToRGB_lod{top - r}/weight": (1, 1, here, c), f"ToRGB_lod{top - r}/bias": (c,)}
    return shapes


def d_shapes(kwargs):
    """Shapes of D's variables."""
    top, c = kwargs["resolution"].bit_length() - 1, kwargs["num_channels"]
    shapes = {}
    for r in range(top, 1, -1):
        name, here, below = f"{2**r}x{2**r}", maps(kwargs, r - 1), maps(kwargs, r - 2)
        shapes |= {f"FromRGB_lod{top - r}/weight": (1, 1, c, here), f"FromRGB_lod{top - r}/bias": (here,)}
        if r > 2:
            down = "_down" * kwargs.get("fused_scale", True)
            shapes |= {f"{name}/Conv0/weight": (3, 3, here, here), f"{name}/Conv0/bias": (here,)}
            shapes |= {f"{name}/Conv1{down}/weight": (3, 3, here, below), f"{name}/Conv1{down}/bias": (below,)}
    width, hidden, outputs = maps(kwargs, 1), maps(kwargs, 0), 1 + kwargs["label_size"]
    extra = kwargs.get("mbstd_group_size", 4) > 1
    shapes |= {"4x4/Conv/weight": (3, 3, width + extra, width), "4x4/Conv/bias": (width,)}
    shapes |= {"4x4/Dense0/weight": (width * 16, hidden), "4x4/Dense0/bias": (hidden,)}
    return shapes | {"4x4/Dense1/weight": (hidden, outputs), "4x4/Dense1/bias": (outputs,)}


def make(kwargs, seed, kind="G"):
    weights = random_like((g_shapes if kind == "G" else d_shapes)(kwargs), seed)
    by = 1 if kwargs.get("use_wscale", True) else 0.2
    return {name: value * by for name, value in weights.items()}


def scaled(v, name, kwargs, gain):
    weight = v[f"{name}/weight"]
    fan_in = math.prod(weight.shape[:-1])
    if name.endswith("_up"):
        fan_in = 9 * weight.shape[3]
    return weight * (gain / math.sqrt(fan_in)) if kwargs.get("use_wscale", True) else weight


def bias(v, name):
    return v[f"{name}/bias"].reshape(1, -1, 1, 1)


def conv(x, v, name, kwargs, gain=2**0.5):
    w = scaled(v, name, kwargs, gain)
    return F.conv2d(x, w.permute(3, 2, 0, 1), padding=w.shape[0] // 2) + bias(v, name)


def spread(w):
    """The release's sum of a kernel's four shifts, [3, 3, ...] to [4, 4, ...]."""
    total = torch.zeros(4, 4, *w.shape[2:])
    for dy in (0, 1):
        for dx in (0, 1):
            total[dy : dy + 3, dx : dx + 3] += w
    return total


def up_conv(x, v, name, kwargs):
    """As a transposed convolution adds up: every input pixel times the kernel, two pixels apart."""
    w = spread(scaled(v, name, kwargs, math.sqrt(2)))  # [4, 4, out, in]
    n, _, h, _ = x.shape
    out = torch.zeros(n, w.shape[2], 2 * h + 2, 2 * h + 2)
    for i in range(h):
        for j in range(h):
            out[:, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += torch.einsum("nc,yxoc->noyx", x[:, :, i, j], w)
    return out[:, :, 1:-1, 1:-1] + bias(v, name)


def down_conv(x, v, name, kwargs):
    w = spread(scaled(v, name, kwargs, math.sqrt(2))) / 4
    return F.conv2d(x, w.permute(3, 2, 0, 1), stride=2, padding=1) + bias(v, name)


def generate(v, kwargs, z, labels, size, alpha):
    """Images of `size` pixels."""
    eps, top = kwargs.get("pixelnorm_epsilon", 1e-8), kwargs["resolution"]

    def unit(x):
        return x / torch.sqrt((x**2).mean(dim=1, keepdim=True) + eps)

    def finish(x):
        x = leaky(x) if kwargs.get("use_leakyrelu", True) else x.clamp(min=0)
        return unit(x) if kwargs.get("use_pixelnorm", True) else x

    def first():
        x = z if labels is None else torch.cat([z, labels], dim=1)
        x = unit(x) if kwargs.get("normalize_latents", True) else x
        x = (x @ scaled(v, "4x4/Dense", kwargs, math.sqrt(2) / 4)).reshape(len(z), -1, 4, 4) + bias(v, "4x4/Dense")
        return finish(conv(finish(x), v, "4x4/Conv", kwargs))

    def stage(s, x):
        if kwargs.get("fused_scale", True):
            x = up_conv(x, v, f"{s}x{s}/Conv0_up", kwargs)
        else:
            x = conv(enlarged(x, 2), v, f"{s}x{s}/Conv0", kwargs)
        return finish(conv(finish(x), v, f"{s}x{s}/Conv1", kwargs))

    def rgb(s, x):
        return conv(x, v, f"ToRGB_lod{sizes_to(top // s * 4).index(top // s * 4)}", kwargs, gain=1)

    return grow(first, stage, rgb, size, alpha)


def judge(v, kwargs, images, alpha):
    """Scores and logits, [N, 1 + K]."""
    top, group = kwargs["resolution"], kwargs.get("mbstd_group_size", 4)

    def rgb(s, x):
        return leaky(conv(x, v, f"FromRGB_lod{sizes_to(top // s * 4).index(top // s * 4)}", kwargs))

    def stage(s, x):
        x = leaky(conv(x, v, f"{s}x{s}/Conv0", kwargs))
        if kwargs.get("fused_scale", True):
            return leaky(down_conv(x, v, f"{s}x{s}/Conv1_down", kwargs))
        return pooled(leaky(conv(x, v, f"{s}x{s}/Conv1", kwargs)), 2)

    def last(x):
        x = with_stddev(x, group) if group > 1 else x
        x = leaky(conv(x, v, "4x4/Conv", kwargs)).flatten(1)
        x = leaky(x @ scaled(v, "4x4/Dense0", kwargs, math.sqrt(2)) + v["4x4/Dense0/bias"])
        return x @ scaled(v, "4x4/Dense1", kwargs, 1) + v["4x4/Dense1/bias"]

    return shrink(images, rgb, stage, last, alpha)
