"""Plots of a run: its losses, and how the same latents change from stage to stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from growgan.core.errors import RunError
from growgan.core.files import whole
from growgan.core.geometry import stages
from growgan.core.runfiles import RunFiles
from growgan.data.image_metadata import metadata_for
from growgan.models.native import open_model
from growgan.sampling import images, latents


def draw_losses(run: RunFiles, out: Path) -> Path:
    """Draw both losses over the images shown, with the stages behind them. Raises `RunError` for an empty log."""
    log = run.read_log()
    if not log:
        raise RunError(f"{run.log} is empty: nothing to plot")
    from matplotlib.figure import Figure  # slow to import, and drawn without a display

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    kimg = [entry["kimg"] for entry in log]
    before = 0.0
    edges = [0.0]
    for entry, after in zip(log, [*log[1:], None]):
        if after is None or after["resolution"] != entry["resolution"]:
            axes.axvspan(before, entry["kimg"], color=f"{0.97 - 0.06 * (len(edges) % 2):.2f}", zorder=0)
            axes.text((before + entry["kimg"]) / 2, 0.98, f"{entry['resolution']}", ha="center", va="top",
                      transform=axes.get_xaxis_transform(), color="0.35")  # fmt: skip
            before = entry["kimg"]
            edges.append(before)
    marker = "." if len(log) < 40 else None
    axes.plot(kimg, [entry["D/loss"] for entry in log], label="D", marker=marker)
    axes.plot(kimg, [entry["G/loss"] for entry in log], label="G", marker=marker)
    axes.set(xlabel="thousand images shown", ylabel="loss", xlim=(0, kimg[-1]))
    axes.legend(loc="lower right")
    return save(figure, out)


def save(figure: Any, out: Path) -> Path:
    """Write a matplotlib figure as a PNG, completely or not at all."""
    with whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110, pil_kwargs=metadata_for("PNG", {"plot": out.stem}))
    return out


@torch.no_grad()
def draw_growth(run: RunFiles, out: Path, pictures: int = 12) -> Path:
    """Draw the same latents through each stage's milestone, one row per stage, all enlarged to the last one's size.

    Milestones are used because a finished network's lower toRGB layers are stale: each was trained for its stage only.
    """
    config = run.read_config()
    rows = []
    for resolution in stages(config.network.resolution):
        if not run.stage(resolution).is_file():
            continue
        file = open_model(run.stage(resolution))
        z, labels = latents.draw(range(pictures), file.spec, file.training.get("labels", {}))
        rows.append(images.enlarge(images.to_uint8(file.generator()(z, labels)), config.network.resolution))
    if not rows:
        raise RunError(f"{run.path} has no milestone of a finished stage yet")
    images.save_png(out, images.make_grid(np.concatenate(rows), pictures))
    return out
