"""Pictures of a run: how its losses and measures went, and how the same latents grew from stage to stage."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from growgan.core.errors import RunError
from growgan.core.files import whole
from growgan.core.geometry import stages
from growgan.data.notes import noted
from growgan.models.native import open_model
from growgan.sampling import images, latents
from growgan.training.run import RunFolder

Series = dict[str, list[tuple[int, dict[str, Any]]]]
"""Who measured -> images shown, and what was found."""


def draw_losses(run: RunFolder, out: Path) -> Path:
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
    return _save(figure, out)


def draw_measures(run: RunFolder, out: Path, files: Sequence[Path] = ()) -> Path:
    """Draw the measures at the run's full resolution over the images shown and over hours, a measure a row.

    Those that training took come from its log, others from the run's ``measures.jsonl`` and `files` of that kind.
    Dashed: what reals give. Raises `RunError` where there is none.
    """
    log = run.read_log()
    full = run.read_config().network.resolution
    rows: dict[str, Series] = defaultdict(lambda: defaultdict(list))
    for entry in log:
        for found in entry.get("measures", {}).values():
            if found["resolution"] == full:
                rows[found["name"]]["in training"].append((entry["nimg"], found))
    for found in evaluated([run.path / "measures.jsonl", *files]):
        if found.get("resolution") == full and found.get("nimg") is not None:
            rows[found["metric"]]["evaluated"].append((found["nimg"], found))
    if not rows:
        raise RunError(f"{run.path} has no measure at {full}x{full} yet: run growgan evaluate")
    curves = {name: series for name, series in rows.items() if max(map(len, series.values())) > 1}
    rows = curves or rows  # a number alone is a curve only where there is nothing else
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.4 + 2.4 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 2, squeeze=False, sharex="col")
    shown, hours = np.array([[entry["nimg"], entry["seconds"] / 3600] for entry in log]).T
    for (name, series), (by_images, by_hours) in zip(rows.items(), panels):
        for label, points in series.items():
            nimg, values = zip(*sorted((nimg, found["value"]) for nimg, found in points))
            kimg = [n / 1000 for n in nimg]
            marker = "." if len(nimg) < 40 else None
            line = "-" if label == "in training" else ":"
            by_images.plot(kimg, values, line, marker=marker, label=label)
            by_hours.plot(np.interp(nimg, shown, hours), values, line, marker=marker, label=label)
        if reference := next(iter(series.values()))[-1][1].get("reference"):
            for axes in (by_images, by_hours):
                axes.axhline(reference["value"], color="0.5", linestyle="--", linewidth=1, label="reals")
        by_images.set_ylabel(name)
        by_images.legend(fontsize="small")
    panels[-1, 0].set_xlabel("thousand images shown")
    panels[-1, 1].set_xlabel("hours of training")
    return _save(figure, out)


def evaluated(files: Sequence[Path]) -> list[dict[str, Any]]:
    """What `growgan evaluate` has added to files of JSON lines; one that is not there is empty.

    A last line that a killed process has left cut off is passed over, as that command does.
    """
    found = []
    for path in filter(Path.is_file, files):
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, 1):
            try:
                found += [json.loads(line)] if line else []
            except ValueError as error:
                if number < len(lines):
                    raise RunError(f"{path}: a line is not JSON: {error}") from error
    return found


def lacking(file: Path, subject_hash: str, metrics: Sequence[str]) -> list[str]:
    """Those of `metrics`, such as ``kid`` or ``swd16k``, that a file of measures does not have of a model."""
    have = [line["metric"] for line in evaluated([file]) if line["subject_hash"] == subject_hash]
    return [name for name in metrics if not any(metric.startswith(name) for metric in have)]


def _save(figure: Any, out: Path) -> Path:
    with whole(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110, pil_kwargs=noted("PNG", {"plot": out.stem}))
    return out


@torch.no_grad()
def draw_growth(run: RunFolder, out: Path, pictures: int = 12) -> Path:
    """Draw the same latents through each stage's milestone, a stage a row, all enlarged to the last one's size.

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
