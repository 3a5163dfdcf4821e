"""Adam as the release runs it, and the moving average of G."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from growgan.core.config import OptimConfig
from growgan.core.schedule import Phase, between


class Adam:
    """Adam (Kingma and Ba 2015) with TensorFlow's epsilon, a learning rate per step, and a reset.

    TensorFlow adds epsilon to the root of the *uncorrected* second moment; PyTorch adds it to the corrected one.
    Dividing epsilon by the correction makes the two the same. Inactive layers have no gradients and are not updated,
    nor are layers that are frozen when this is created.
    """

    def __init__(self, network: nn.Module, config: OptimConfig) -> None:
        self.config = config
        self.names = {parameter: name for name, parameter in network.named_parameters() if parameter.requires_grad}
        self.rows = {parameter: _as_it_lies(parameter.detach(), parameter) for parameter in self.names}
        """Contiguous views of the same memory: the fused form copies other tensors, at three times the work, and
        assumes that gradients are laid out as their weights are."""
        betas = config.beta1, config.beta2
        self.adam = torch.optim.Adam(self.rows.values(), lr=0.0, betas=betas, fused=_can_fuse(network))
        self.steps = 0
        """Steps since the moments were last reset."""

    def step(self, lr: float, beta2: float) -> None:
        """Update from the gradients, which are then cleared. The bias correction assumes that `beta2` never changed."""
        self.steps += 1
        for group in self.adam.param_groups:
            group["lr"] = lr
            group["betas"] = self.config.beta1, beta2
            group["eps"] = self.config.eps / math.sqrt(1 - beta2**self.steps)
        for parameter, rows in self.rows.items():
            gradient, parameter.grad = parameter.grad, None
            rows.grad = None if gradient is None else _as_it_lies(gradient, parameter).contiguous()
        self.adam.step()
        # The fused form changes weights behind autograd's back; kernels prepared from them must be prepared again.
        torch.autograd.graph.increment_version(self.names)
        self.adam.zero_grad(set_to_none=True)

    def forget(self) -> None:
        """Reset the moments, as the release does whenever the set of active layers changes."""
        self.adam.state.clear()
        self.steps = 0

    def tensors(self) -> dict[str, Tensor]:
        """The moments by name, such as ``exp_avg_sq.8x8.conv0.weight``."""
        return {
            f"{key}.{name}": value.permute(0, 3, 1, 2) if value.dim() == 4 and _is_last(parameter) else value
            for parameter, name in self.names.items()
            for key, value in self.adam.state.get(self.rows[parameter], {}).items()
        }

    def restore(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Restore what `tensors` returned."""
        self.forget()
        self.steps = steps
        parameters = {name: parameter for parameter, name in self.names.items()}
        for path, value in tensors.items():
            key, name = path.split(".", 1)
            parameter = parameters[name]
            moments = value.shape == parameter.shape  # else the step counter
            like = torch.empty_like(parameter) if moments else torch.empty_like(value, device=parameter.device)
            self.adam.state[self.rows[parameter]][key] = _as_it_lies(like.copy_(value), parameter)


def _as_it_lies(value: Tensor, parameter: Tensor) -> Tensor:
    """A value of the parameter's shape, viewed in the order of the parameter's memory."""
    return value.permute(0, 2, 3, 1) if value.dim() == 4 and _is_last(parameter) else value


def _is_last(parameter: Tensor) -> bool:
    return parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)


def _can_fuse(network: nn.Module) -> bool:
    return next(network.parameters()).device.type in ("cpu", "cuda")


def ema_factor(config: OptimConfig, phase: Phase, nimg: int, shortened: float = 1.0) -> float:
    """The decay of the average at a step: fixed (the paper's), or from the half-life in images, times `shortened`."""
    if config.ema_kimg is None:
        return config.ema_factor
    half_life = between(config.ema_kimg, config.ema_kimg_end, phase.progress) * shortened * 1000
    if config.ema_rampup:
        half_life = min(half_life, config.ema_rampup * nimg)
    return float(0.5 ** (phase.minibatch / half_life)) if half_life else 0.0


@torch.no_grad()
def average(ema: Iterable[Tensor], current: Iterable[Tensor], factor: float) -> None:
    """ema <- factor ema + (1 - factor) current."""
    ema = list(ema)
    torch._foreach_lerp_(ema, list(current), 1 - factor)
    # On a GPU this form does not bump versions either: kernels prepared from the average would become stale.
    torch.autograd.graph.increment_version(ema)
