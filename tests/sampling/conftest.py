"""Model files with untrained networks, of every kind of label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from making import make_nets, make_spec
from torch import Tensor

from growgan.models.native import save_model
from growgan.sampling.model import Model, load

MakeModel = Callable[..., Model]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Save a model of a `make_spec` spec and load it again; `training` goes into its header."""

    def make(*, training: dict[str, Any] | None = None, mean: Tensor | None = None, **fields: Any) -> Model:
        G, _ = make_nets(make_spec(**fields), torch.float32)
        path = tmp_path / "model.safetensors"
        save_model(path, {"G_ema": G}, training=training or {}, truncation_mean=mean)
        return load(path)

    return make
