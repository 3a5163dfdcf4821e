"""The state of a run for viewing: progress, curves and grids of fakes. Reads only what a run has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from growgan.core.errors import RunError
from growgan.core.runfiles import RunFiles
from growgan.core.schedule import Schedule
from growgan.training import timelapse

MOST_POINTS = 1000
"""Most points of a curve: more than a screen shows."""
FIELDS = ("nimg", "seconds", "resolution", "alpha", "images_per_second", "g_lr", "augment_p", "D/loss", "G/loss")
"""Fields of the log that have a curve."""


def watch(source: str) -> dict[str, Any]:
    """What a page shows about a run, JSON values. Raises `RunError`."""
    run = RunFiles(Path(source))
    config, log = run.read_config(), run.read_log()
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    last = log[-1] if log else {}
    # A run may be longer than last configured, and earlier versions recorded its length only in the log.
    total = max(schedule.total, last.get("nimg", 0), round(1000 * float(last.get("total_kimg", 0))))
    stages = [asdict(stage) for stage in schedule.stages]
    stages[-1]["end"] = max(stages[-1]["end"], total)
    rate = float(last.get("images_per_second", 0))
    left = (total - last["nimg"]) / rate if rate > 0 else None
    grids = timelapse.moments(run) if run.grids() else []
    shown = thinned(log)
    return {
        "name": source,
        "preset": config.preset,
        "loss": config.loss.name,
        "data": config.data.path,
        "resolution": config.network.resolution,
        "total": total,
        "stages": stages,
        "nimg": last.get("nimg", 0),
        "seconds": last.get("seconds", 0.0),
        "left": left,
        "written": run.log.stat().st_mtime if run.log.is_file() else None,
        "curve": {name: [entry.get(name) for entry in shown] for name in FIELDS},
        "measures": _measures(log),
        "fakes": [{"nimg": one.nimg, "words": ", ".join(one.words)} for one in grids],
        "reals": run.reals.is_file(),
    }


def grid(source: str, nimg: int | None) -> Path:
    """The file of a grid of fakes; if None, of reals. Raises `RunError` if it does not exist."""
    run = RunFiles(Path(source))
    path = run.reals if nimg is None else run.fakes(nimg)
    if not path.is_file():
        raise RunError(f"{path} does not exist")
    return path


def thinned(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST_POINTS` lines, evenly spaced, including the last."""
    step = -(-len(log) // MOST_POINTS) or 1
    return list(log[::-1][::step][::-1])


def _measures(log: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Measure -> its results at the largest size that was measured."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in log:
        for measure in entry.get("measures", {}).values():
            reference = (measure.get("reference") or {}).get("value")
            keys = {"nimg": entry["nimg"], "value": measure["value"], "resolution": measure.get("resolution")}
            found.setdefault(measure["name"], []).append(keys | {"reals": reference})
    return {
        name: [one for one in points if one["resolution"] == points[-1]["resolution"]] for name, points in found.items()
    }
