"""G and D as the paper's figure 2 draws them: every stage's image at FULL size, blended there. Slow, and plain.

Stated from the paper and from how the release computes (`lod`: doublings still missing, 0 = full size); shared with
growgan are only the names and layouts of the state dict and the fields of the spec.
"""

import math

import torch
from torch.nn import functional as F

ROOT2 = math.sqrt(2)


def he(weight, gain, spec):
    fan_in = weight.numel() // len(weight)
    return weight * (gain / math.sqrt(fan_in)) if spec.wscale else weight


def conv(x, weights, name, spec, gain=ROOT2, bias=True):
    weight = he(weights[f"{name}.weight"], gain, spec)
    x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    return x + weights[f"{name}.bias"].reshape(1, -1, 1, 1) if bias else x


def leaky(x):
    return torch.maximum(0.2 * x, x)


def norm(x):
    return x / torch.sqrt((x**2).sum(dim=1, keepdim=True) / x.shape[1] + 1e-8)


def enlarged(x, factor):
    return x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def pooled(x, factor):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // factor, factor, w // factor, factor).sum(dim=(3, 5)) / factor**2


def blended(a, b, t):
    """`a` for t <= 0, `b` for t >= 1."""
    return a + (b - a) * min(max(t, 0.0), 1.0)


def rows_of(labels, spec, like):
    """Labels of any kind as [N, K]."""
    if labels.dim() == 2:
        return labels.to(like.dtype)
    return torch.tensor([[float(k == label) for k in range(spec.num_labels)] for label in labels.tolist()]).to(like)


def sizes_of(spec):
    return [2**r for r in range(2, int(math.log2(spec.resolution)) + 1)]


def generate(weights, spec, z, labels, lod):
    """Images at full size from the state dict of G."""

    def finish(x):
        x = leaky(x) if spec.leaky_relu else x.clamp(min=0)
        return norm(x) if spec.pixelnorm else x

    x = z if labels is None else torch.cat([z, rows_of(labels, spec, z)], dim=1)
    x = norm(x) if spec.normalize_latents else x
    x = x @ he(weights["4x4.dense.weight"], ROOT2 / 4, spec).T
    x = x.reshape(len(z), -1, 4, 4) + weights["4x4.dense.bias"].reshape(1, -1, 1, 1)
    x = finish(conv(finish(x), weights, "4x4.conv", spec))
    images = None
    for size in sizes_of(spec):
        if size > 4:
            x = finish(conv(enlarged(x, 2), weights, f"{size}x{size}.conv0", spec))
            x = finish(conv(x, weights, f"{size}x{size}.conv1", spec))
        rgb = enlarged(conv(x, weights, f"{size}x{size}.torgb", spec, gain=1), spec.resolution // size)
        missing = math.log2(spec.resolution // size)
        images = rgb if images is None else blended(rgb, images, lod - missing)
    return images


def with_stddev(x, most):
    """Features with the minibatch standard deviation appended."""
    n, _, h, w = x.shape
    size = max(d for d in range(1, n + 1) if n % d == 0 and (most is None or d <= most))
    groups = n // size
    value = {}
    for group in range(groups):
        members = [x[i] for i in range(n) if i % groups == group]
        mean = sum(members) / size
        variance = sum((member - mean) ** 2 for member in members) / size
        value[group] = torch.sqrt(variance + 1e-8).mean()
    return torch.stack([torch.cat([x[i], value[i % groups].expand(1, h, w)]) for i in range(n)])


def judge(weights, spec, images, lod):
    """Scores [N] and logits [N, K] of full-size images, from the state dict of D."""

    def fromrgb(size):
        return leaky(conv(pooled(images, spec.resolution // size), weights, f"{size}x{size}.fromrgb", spec))

    x = fromrgb(spec.resolution)
    for size in reversed(sizes_of(spec)[1:]):
        x = leaky(conv(x, weights, f"{size}x{size}.conv0", spec))
        if spec.d_down == "act_pool":
            x = pooled(leaky(conv(x, weights, f"{size}x{size}.conv1", spec)), 2)
        else:
            x = pooled(conv(x, weights, f"{size}x{size}.conv1", spec, bias=False), 2)
            x = leaky(x + weights[f"{size}x{size}.conv1.bias"].reshape(1, -1, 1, 1))
        missing = math.log2(spec.resolution // size)
        x = blended(x, fromrgb(size // 2), lod - missing)
    if spec.stddev_group is None or spec.stddev_group > 1:
        x = with_stddev(x, spec.stddev_group)
    x = leaky(conv(x, weights, "4x4.conv", spec)).flatten(1)
    x = leaky(x @ he(weights["4x4.dense0.weight"], ROOT2, spec).T + weights["4x4.dense0.bias"])
    x = x @ he(weights["4x4.dense1.weight"], 1, spec).T + weights["4x4.dense1.bias"]
    return x[:, 0], x[:, 1:]


def label_loss(logits, labels, spec):
    """AC-GAN: minus the log-likelihood of the labels, mean over images."""
    rows = rows_of(labels, spec, logits)
    if spec.multi_label:
        p = 1 / (1 + torch.exp(-logits))
        likelihood = rows * torch.log(p) + (1 - rows) * torch.log(1 - p)
    else:
        likelihood = rows * torch.log(torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True))
    return -likelihood.sum() / len(rows)


def d_loss(weights, spec, loss, reals, fakes, labels, u, lod):
    """The whole WGAN-GP loss of D on full-size images; u [N]: where between real and fake the penalty is taken."""
    real, real_logits = judge(weights, spec, reals, lod)
    fake, fake_logits = judge(weights, spec, fakes, lod)
    mixed = torch.stack([r + (f - r) * t for r, f, t in zip(reals, fakes, u)]).detach().requires_grad_()
    scores, _ = judge(weights, spec, mixed, lod)
    (slopes,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
    total = torch.zeros((), dtype=reals.dtype)
    for i in range(len(reals)):
        length = torch.sqrt((slopes[i] ** 2).sum())
        total = total + fake[i] - real[i] + loss.drift * real[i] ** 2
        total = total + loss.gp_weight / loss.gp_target**2 * (length - loss.gp_target) ** 2
    total = total / len(reals)
    if labels is not None:
        both = label_loss(real_logits, labels, spec) + label_loss(fake_logits, labels, spec)
        total = total + loss.label_weight * both
    return total
