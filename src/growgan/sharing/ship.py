"""Shipped files: what others need from a model, small, with its full description in the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from growgan.core.errors import ModelError
from growgan.models.native import save_model
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.sampling.model import Model, load

TRIED = 4
"""Pictures by which the written file is compared with its source."""


def ship(
    model: Model,
    path: Path,
    measures: dict[str, Any],
    card: dict[str, Any],
    *,
    only: str | None = None,
    half: bool = True,
) -> int:
    """Write the averaged G, D if present (unless ``only="G_ema"``) and the truncation mean, in float16.

    half: False = float32. Returns the largest difference of its pictures from the source's, in levels of 255. Raises
    `ModelError` if a weight does not fit float16.
    """
    file = model.file
    networks: dict[str, Generator | Discriminator] = {"G_ema": file.generator()}
    if only is None and file.has("D"):
        networks["D"] = file.network("D")
    if half:
        _check_range(networks, path)
    save_model(
        path,
        networks,
        training=file.training,
        measures=measures,
        card=card,
        truncation_mean=model.means,
        half=half,
    )
    seeds = range(TRIED)
    mine, theirs = (np.concatenate(list(m.batches(seeds, batch=1))).astype(int) for m in (load(path), model))
    return int(np.abs(mine - theirs).max())


def _check_range(networks: dict[str, Generator | Discriminator], path: Path) -> None:
    most = torch.finfo(torch.float16).max
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            if not float(value.abs().max()) <= most:
                raise ModelError(f"{path}: {name}.{key} has weights that float16 cannot hold: use --precision float32")
