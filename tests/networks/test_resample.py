"""Doubling and halving, and sums of boxes, whatever computes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from making import normal
from torch import Tensor
from torch.nn import functional as F

from growgan.networks import resample

CLOSE = {"rtol": 0, "atol": 1e-12}
EXACT = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2**-8}


def sums_by_loops(x: Tensor) -> Tensor:
    """Sums of boxes of 2x2, one by one."""
    h, w = x.shape[2] - 1, x.shape[3] - 1
    rows = [torch.stack([x[:, :, i : i + 2, j : j + 2].sum(dim=(2, 3)) for j in range(w)], dim=2) for i in range(h)]
    return torch.stack(rows, dim=2)


def test_up_and_down() -> None:
    x = normal(2, 3, 4, 6)
    up = resample.upscale(x)
    assert np.array_equal(up.numpy(), np.kron(x.numpy(), np.ones((2, 2))))
    assert torch.equal(resample.downscale(up), x)
    assert resample.downscale(torch.tensor([[[[1.0, 2.0], [3.0, 10.0]]]])).item() == 4.0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", list(EXACT))
def test_boxes_against_loops_and_their_adjoint(dtype: torch.dtype, layout: torch.memory_format) -> None:
    x, y = normal(2, 3, 5, 4, seed=1).to(dtype), normal(2, 3, 4, 3, seed=2).to(dtype)
    bias = normal(3, seed=3).to(dtype)
    close = {"rtol": EXACT[dtype], "atol": 4 * EXACT[dtype]}
    wanted = sums_by_loops(x.double())
    x, y = x.contiguous(memory_format=layout), y.contiguous(memory_format=layout)
    torch.testing.assert_close(resample.box_sum(x).double(), wanted, **close)
    torch.testing.assert_close(resample.box_sum(x, bias=bias).double(), wanted + bias.double()[:, None, None], **close)
    around = resample.box_sum(y, edges=True)
    torch.testing.assert_close(around.double(), sums_by_loops(F.pad(y.double(), (1, 1, 1, 1))), **close)
    torch.testing.assert_close(
        (wanted * y).sum(), (x * around).sum().double(), rtol=EXACT[dtype], atol=EXACT[dtype] * 64
    )


@pytest.mark.parametrize("dtype", list(EXACT))
@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (resample.upscale, lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)),
        (resample.downscale, lambda x: x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))),
    ],
)
def test_gradients_of_both_orders(
    ours: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    def gradients(form: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
        y = form(x.requires_grad_())
        (first,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        return [y, first, second]

    x = normal(2, 3, 4, 4).to(dtype)
    expected = gradients(plain, x.double())
    for found, right in zip(gradients(ours, x.contiguous(memory_format=torch.channels_last)), expected, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), right, rtol=0, atol=4 * EXACT[dtype] * right.abs().max().item())


def test_lerp_is_exact_at_both_ends() -> None:
    small, large = normal(50, seed=1).float(), 1e8 * normal(50, seed=2).float()
    for a, b in ((small, large), (large, small)):
        assert torch.equal(resample.lerp(a, b, 0.0), a)
        assert torch.equal(resample.lerp(a, b, 1.0), b)
        torch.testing.assert_close(resample.lerp(a, b, 0.25), 0.75 * a + 0.25 * b)


@pytest.mark.skipif(not resample.LIBRARY, reason="kernels are kept for oneDNN alone")
def test_sampling_first_does_not_stand_in_trainings_way() -> None:
    """Kernels are kept, and PyTorch refuses gradients through a tensor that was made in inference mode."""
    resample._box_kernel.cache_clear()
    x = normal(2, 8, 8, 8).float().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        resample.box_sum(x)
    x.requires_grad_()
    resample.box_sum(x).sum().backward()
    assert x.grad is not None and x.grad[0, 0, 3, 3] == 4
