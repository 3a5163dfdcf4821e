"""Models to share: every kind of label, in the middle of a fade, with and without a mean in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from making import make_nets, make_spec

from growgan.models.native import save_model
from growgan.sharing.export import Subject, open_subject

MakeSubject = Callable[..., Subject]
TRAINING: dict[str, Any] = {"growgan": "0.0.1", "nimg": 1234, "preset": "tiny"}


@pytest.fixture
def make_subject(tmp_path: Path) -> MakeSubject:
    """A snapshot with all three networks, opened for sharing."""

    def make(
        *, training: dict[str, Any] | None = None, texts: tuple[str, ...] = (), snapshot: bool = True, **fields: Any
    ) -> Subject:
        G, D = make_nets(make_spec(**fields), torch.float32)
        G_ema, _ = make_nets(make_spec(**fields), torch.float32, seed=1)
        path = tmp_path / "origin.safetensors"
        networks = {"G_ema": G_ema, "G": G, "D": D} if snapshot else {"G_ema": G_ema}
        save_model(path, networks, training=TRAINING | (training or {}), measures={"swd": {"value": 12.5}})
        return open_subject(str(path), texts, None)

    return make
