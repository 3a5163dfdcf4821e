"""What `growgan export` and `growgan push` share: the model, its card and measures, and the formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from growgan.core.errors import ConfigError, ModelError
from growgan.core.files import check_own
from growgan.core.runfiles import RunFiles
from growgan.evaluation import results
from growgan.models.description import DescribedFile
from growgan.models.native import open_model
from growgan.sampling.model import Model, load
from growgan.sharing import card

FORMATS = (".safetensors", ".onnx", ".pt2")


@dataclass(frozen=True)
class Subject:
    """A model, and its card and measures."""

    model: Model
    measures: dict[str, Any]
    card: dict[str, Any]


def open_subject(source: str, texts: Sequence[str], measures: Path | None) -> Subject:
    """A model with its measures, and its card with `texts` set.

    measures: a file written by `growgan evaluate`, with results for exactly this model file; None = the run's own, if
    any.
    """
    model = load(source)
    run = RunFiles.holding(model.file.path)
    if measures is not None and not measures.is_file():
        raise ConfigError(f"cannot read the measures in {measures}: no such file")
    file = measures or (run.measures if run is not None else None)
    found = results.of_model(file, model.file.hash) if file is not None else {}
    if measures is not None and not found:
        raise ConfigError(f"{measures} has no measure of {model.file.path} (matched by the file's hash)")
    return Subject(model, model.file.measures | found, card.merged(_licensed(model.file), texts))


def _licensed(file: DescribedFile) -> dict[str, Any]:
    """A file's card; if it has no licence of its own, with that of the model that it started from."""
    terms = file.training.get("parent", {}).get("license")
    return ({"license": terms} if terms else {}) | file.card


def export(
    subject: Subject,
    out: str | Path,
    *,
    resolution: int | None = None,
    only: str | None = None,
    half: bool | None = None,
) -> str:
    """Write the model in the format given by the suffix of `out`. Returns how it was verified, in one line.

    resolution: for .onnx and .pt2. only, half (None = half): for .safetensors. Raises `ConfigError` for arguments that
    do not fit the format.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"{out} must end in one of {', '.join(FORMATS)}, which sets the format")
    if out.exists() and out.samefile(subject.model.file.path):
        raise ConfigError(f"{out} is the model itself")
    _check_replaced(out)
    if suffix == ".safetensors":
        if resolution is not None:
            raise ConfigError("--resolution is for .onnx and .pt2: a .safetensors file holds every size")
        from growgan.sharing.ship import ship

        half = True if half is None else half
        levels = ship(subject.model, out, subject.measures, subject.card, only=only, half=half)
        return f"pictures differ from the model's by at most {levels} of 255 levels"
    if only is not None or half:
        raise ConfigError(f"--only and float16 are for .safetensors: {suffix} files hold only G, in float32")
    if suffix == ".onnx":
        from growgan.sharing.to_onnx import export_onnx as write
    else:
        from growgan.sharing.to_program import export_program as write
    difference = write(subject.model, out, resolution, subject.measures, subject.card)
    return f"images differ from the model's by at most {difference:.1e}"


def _check_replaced(out: Path) -> None:
    """Raise `ConfigError` if `out` is not just an earlier export: a run's network, or a file that is not a model."""
    if RunFiles.holding(out):
        raise ConfigError(f"{out} is among a run's own networks: choose another OUT")
    check_own(out, "OUT")
    if out.suffix.lower() == ".safetensors" and out.is_file():
        try:
            open_model(out)
        except ModelError:
            raise ConfigError(f"{out} exists and is not a model: choose another OUT") from None
