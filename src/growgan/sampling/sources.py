"""Finds models: files, run folders, names of shipped ones. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from growgan.core.errors import ModelError
from growgan.core.runfiles import RunFiles
from growgan.core.shipped import explain, shipped
from growgan.models import hub
from growgan.models.inspect import inspect


def find(source: str | Path) -> Path:
    """The model file that `source` stands for; see `growgan.load`."""
    if hub.is_address(source):
        return hub.fetch(str(source))
    if is_shipped(source):
        return shipped()[str(source)]
    path = Path(source)
    if path.is_dir():
        return _of_run(path)
    if not path.exists():
        raise ModelError(f"{source}: no such file, run folder or shipped model; {explain(str(source))}")
    return path


def is_shipped(source: str | Path) -> bool:
    """Whether `source` stands for a shipped model: a file or a run folder of that name takes precedence."""
    # `generate NAME --out NAME` leaves a folder of that name, which is not a run: the model is still meant.
    path = Path(source)
    return str(source) in shipped() and not path.is_file() and not RunFiles(path).models.is_dir()


def _of_run(run: Path) -> Path:
    files = RunFiles(run)
    snapshots, milestones = files.snapshots(), files.milestones()
    if files.best.is_file() and (not snapshots or _resolution(files.best) >= _resolution(snapshots[-1])):
        return files.best
    if snapshots or milestones:
        return (snapshots or milestones)[-1]
    if files.config.is_file():
        raise ModelError(f"the run {run} has no snapshot yet: resume it with the command that started it")
    raise ModelError(f"the folder {run} holds no model: a run folder has its snapshots in {files.models}")


def _resolution(path: Path) -> int:
    return inspect(path).file.resolution
