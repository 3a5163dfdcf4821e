"""Layer 1: what is done to pictures on their way to D."""

from __future__ import annotations

import torch
from torch import Tensor


def mirror(x: Tensor, flip: Tensor) -> Tensor:
    """Images [N, C, H, W] with those flipped left-right for which `flip`, bool [N], is true."""
    return torch.where(flip[:, None, None, None], x.flip(3), x)
