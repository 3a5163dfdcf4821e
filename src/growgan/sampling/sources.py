"""Where models are found: files, run folders, names of shipped ones. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from growgan.core.errors import ModelError
from growgan.core.runfiles import RunFiles
from growgan.models import hub
from growgan.models.inspect import inspect

SHIPPED: dict[str, str] = {}
"""Models in the package by name; the file's name within it."""


def find(source: str | Path) -> Path:
    """The model file that `source` stands for; see `growgan.load`."""
    if hub.is_address(source):
        return hub.fetch(str(source))
    path = Path(source)
    if path.is_dir():
        return _of_run(path)
    if not path.exists() and str(source) in SHIPPED:
        return Path(__file__).parents[1] / "shipped" / SHIPPED[str(source)]
    if not path.exists():
        shipped = f" ({', '.join(SHIPPED)})" if SHIPPED else ""
        raise ModelError(f"{source} is no model file, no run folder and no shipped model{shipped}")
    return path


def _of_run(run: Path) -> Path:
    files = RunFiles(run)
    snapshots, milestones = files.snapshots(), files.milestones()
    if files.best.is_file() and (not snapshots or _resolution(files.best) >= _resolution(snapshots[-1])):
        return files.best
    if snapshots or milestones:
        return (snapshots or milestones)[-1]
    raise ModelError(f"the folder {run} holds no model: a run folder has snapshots in {files.models}")


def _resolution(path: Path) -> int:
    return inspect(path).file.resolution
