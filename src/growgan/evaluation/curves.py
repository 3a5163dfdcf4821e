"""Curves of a run's measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from growgan.core.errors import RunError
from growgan.core.runfiles import RunFiles
from growgan.evaluation import results
from growgan.training.plots import save

Series = dict[str, list[tuple[int, dict[str, Any]]]]
"""When a measure was taken, "in training" or "evaluated" -> images shown, and the result."""


def draw_measures(run: RunFiles, out: Path, files: Sequence[Path] = ()) -> Path:
    """Draw the measures at the run's full resolution over the images shown and over hours, one row per measure.

    Those taken in training come from its log, others from the run's measures.jsonl and `files` of that kind. Dashed:
    the value of reals. Raises `RunError` if there are none.
    """
    log = run.read_log()
    full = run.read_config().network.resolution
    rows: dict[str, Series] = defaultdict(lambda: defaultdict(list))
    for entry in log:
        for found in entry.get("measures", {}).values():
            if found["resolution"] == full:
                rows[found["name"]]["in training"].append((entry["nimg"], found))
    for found in results.read([run.measures, *files]):
        if found.get("resolution") == full and found.get("nimg") is not None:
            rows[found["metric"]]["evaluated"].append((found["nimg"], found))
    if not rows:
        raise RunError(f"{run.path} has no measure at {full}x{full} yet: run growgan evaluate")
    curves = {name: series for name, series in rows.items() if max(map(len, series.values())) > 1}
    rows = curves or rows  # single points are drawn only if there is nothing else
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
    return save(figure, out)
