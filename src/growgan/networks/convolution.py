"""Convolutions that can be differentiated twice, each pass at the full speed of the machine.

A convolution is linear in its input and in its weight, and so are its gradients with respect to either. Three products,

    forward      y  = F(x, w)
    grad_input   gx = I(gy, w)    the adjoint of F in x
    grad_weight  gw = W(x, gy)    the adjoint of F in w

are each other's derivatives: however often a loss is differentiated, as the gradient penalty requires, the result is
one of the three. An `Algorithm` computes them; this module connects them. (PyTorch's own double backward computes the
second weight gradient as a convolution with the batch as its channels, at half the speed or less.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from growgan.core.plan import UNMEASURED

Product = Literal["forward", "inputs", "weights"]
"""Forward, grad_input, grad_weight, under the names used in stored plans."""


class Algorithm(Protocol):
    """One way to compute the three products, with a kernel prepared from the weight.

    x: [N, I, H, W]; gy: like the output, [N, O, H', W']; weight: [O, I, 3, 3] or [O, I, 1, 1]. All have the type of x.
    """

    family: str
    """Algorithms of one family share the same kernel."""

    def kernel(self, weight: Tensor) -> Tensor:
        """Prepare the kernel, once for as long as the weight does not change; linear in the weight."""

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """The gradient with respect to the weight, of the given shape, from the one with respect to the kernel."""

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """F."""

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """I, for an input of the given shape."""

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """W with respect to the kernel, which is given only for its shape and layout."""


Candidates = Callable[[Product, Tensor, torch.Size, torch.Size], Mapping[str, Algorithm]]
"""The algorithms, by name, for a product, its operand, and the shapes of input and weight; the first is the default if
nothing was measured."""

Made = tuple[object, int, torch.dtype, dict[str, Tensor]]
"""The weight, its version, the kernels' type, and the kernels prepared from it by family."""
NOTHING_MADE: Made = (None, 0, torch.float32, {})


class Convolution:
    """A layer's convolution. Algorithms run it with kernels that they prepare from the weight.

    Kernels have the type that the convolution is computed in; weight gradients have the weight's.
    """

    def __init__(self, candidates: Candidates, scale: float, kind: str = "") -> None:
        self.candidates = candidates
        self.kind = kind
        """Name that distinguishes it in plans from others of the same shapes."""
        self.scale = scale
        """Factor by which the weight is multiplied before use (equalised learning rate)."""
        self.plan = UNMEASURED
        self.keep = False
        """Whether kernels are kept until the version of the weight changes.

        Not every update bumps it: ``torch.optim.Adam(fused=True)``, ``p.data.mul_`` and ``vector_to_parameters`` do
        not. Only an owner whose updates all do may set this (`layers.keep_kernels`).
        """
        self._made = NOTHING_MADE

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The output for input x, computed in the type of x."""
        if torch.is_grad_enabled():
            y: Tensor = _Forward.apply(x, weight, bias, self)  # type: ignore[no-untyped-call]
            return y
        return self.forward(x, weight, bias)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """F."""
        bias = bias.to(x.dtype) if bias is not None else None
        return self._product("forward", x, x.shape, weight, lambda a, k: a.forward(x, k, bias))

    def grad_input(self, gy: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        """I."""
        return self._product("inputs", gy, shape, weight, lambda a, k: a.grad_input(gy, k, shape))

    def grad_weight(self, x: Tensor, gy: Tensor, weight: Tensor) -> Tensor:
        """W, in the type of the weight, which is given for its shape and layout."""

        def product(algorithm: Algorithm, kernel: Tensor) -> Tensor:
            return algorithm.adjoint(algorithm.grad_weight(x, gy, kernel), weight.shape)

        found = self._product("weights", x, x.shape, weight, product)
        found = found.contiguous(memory_format=_layout(weight)).to(weight.dtype)
        return found.mul_(self.scale) if self.scale != 1.0 else found

    def _product(
        self, which: Product, a: Tensor, shape: torch.Size, weight: Tensor, run: Callable[[Algorithm, Tensor], Tensor]
    ) -> Tensor:
        """Run the algorithm that the plan names for this product, with its kernel."""

        def by(algorithm: Algorithm) -> Tensor:
            return run(algorithm, self._kernel(algorithm, weight, a.dtype))

        found = self.candidates(which, a, shape, weight.shape)
        if len(found) == 1:
            return by(next(iter(found.values())))
        key = f"{which} {'x'.join(map(str, shape))} {weight.shape[0]} {str(a.dtype).removeprefix('torch.')}"
        key = f"{key} {self.kind}".rstrip()
        work = 2.0 * weight.numel() * shape[0] * shape[2] * shape[3]
        chosen = self.plan.choose(key, work, found, by)
        if self.plan.measures:
            self._made = NOTHING_MADE  # drops the kernels of candidates that were not chosen
        return by(chosen)

    def _kernel(self, algorithm: Algorithm, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The kernel that the algorithm applies."""
        # Tensors created in inference mode have no version.
        if not self.keep or not isinstance(weight, torch.nn.Parameter) or weight.is_inference():
            return self._prepared(algorithm, weight, dtype)
        of, version, of_dtype, kernels = self._made
        if of is not weight or version != weight._version or of_dtype != dtype:
            kernels = {}
        if algorithm.family not in kernels:
            kernels[algorithm.family] = self._prepared(algorithm, weight, dtype)
        self._made = weight, weight._version, dtype, kernels
        return kernels[algorithm.family]

    @torch.no_grad()
    def _prepared(self, algorithm: Algorithm, weight: Tensor, dtype: torch.dtype) -> Tensor:
        kernel = algorithm.kernel((weight * self.scale if self.scale != 1.0 else weight).to(dtype))
        return kernel.contiguous(memory_format=_layout(weight) if kernel.dim() == 4 else torch.contiguous_format)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles follow no plan and keep no kernels: they may have another owner."""
        return self.__dict__ | {"plan": UNMEASURED, "keep": False, "_made": NOTHING_MADE}


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layer: Convolution) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layer, ctx.bias = layer, bias
        return layer.forward(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x, *_ = ctx.needs_input_grad
        by_weight, by_bias = _wanted(ctx, 1, weight), _wanted(ctx, 2, ctx.bias)
        gx = _GradInput.apply(gy, weight, x.shape, ctx.layer) if by_x else None  # type: ignore[no-untyped-call]
        gw = _GradWeight.apply(x, gy, weight, ctx.layer) if by_weight else None  # type: ignore[no-untyped-call]
        gb = gy.sum(dim=(0, 2, 3)).to(weight.dtype) if by_bias else None
        return gx, gw, gb, None


class _GradInput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gy: Tensor, weight: Tensor, shape: torch.Size, layer: Convolution) -> Tensor:
        ctx.save_for_backward(gy, weight)
        ctx.layer = layer
        return layer.grad_input(gy, weight, shape)

    @staticmethod
    def backward(ctx: Any, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, weight = ctx.saved_tensors
        by_gy, by_weight = ctx.needs_input_grad[0], _wanted(ctx, 1, weight)
        ggy = _Forward.apply(ggx, weight, None, ctx.layer) if by_gy else None  # type: ignore[no-untyped-call]
        gw = _GradWeight.apply(ggx, gy, weight, ctx.layer) if by_weight else None  # type: ignore[no-untyped-call]
        return ggy, gw, None, None


class _GradWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gy: Tensor, weight: Tensor, layer: Convolution) -> Tensor:
        ctx.save_for_backward(x, gy)
        ctx.layer = layer
        return layer.grad_weight(x, gy, weight)

    @staticmethod
    def backward(ctx: Any, ggw: Tensor) -> tuple[Tensor | None, ...]:
        x, gy = ctx.saved_tensors
        by_x, by_gy, *_ = ctx.needs_input_grad
        gx = _GradInput.apply(gy, ggw, x.shape, ctx.layer) if by_x else None  # type: ignore[no-untyped-call]
        ggy = _Forward.apply(x, ggw, None, ctx.layer) if by_gy else None  # type: ignore[no-untyped-call]
        return gx, ggy, None, None


def _layout(weight: Tensor) -> torch.memory_format:
    last = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _wanted(ctx: Any, place: int, tensor: Tensor | None) -> bool:
    """Whether the current backward pass needs the gradient with respect to this weight.

    A penalty's first pass needs only the images' gradient, which PyTorch tells its own functions but not those in
    Python. The interface for that is private; without it, weight gradients are computed that nothing uses.
    """
    if tensor is None or not ctx.needs_input_grad[place]:
        return False
    if not tensor.is_leaf:
        return True
    asked = getattr(torch._C, "_will_engine_execute_node", None)
    try:
        return asked is None or bool(asked(get_gradient_edge(tensor).node))
    except RuntimeError:  # raised if autograd.grad was asked for this weight's gradient
        return True
