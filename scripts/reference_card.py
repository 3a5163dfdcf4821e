"""The text of a reference model's card; numbers and settings come from its run, never written twice by hand."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from reference_models import Recipe

from growgan.bench.machine import describe, line
from growgan.core.config import ExecutionConfig, RunConfig
from growgan.core.fields import to_json
from growgan.core.presets import preset
from growgan.core.runfiles import RunFiles
from growgan.data.dataset import open_dataset
from growgan.devices import set_up
from growgan.models.native import ModelFile
from growgan.sharing.card import LIMITS, USE

OF_THE_DATA = ("network.resolution", "network.channels", "network.num_labels", "network.multi_label")
OF_THE_MACHINE = ("preset", "data.path", "data.content_hash")
SECTIONS = ("execution", "start")
OF_THE_PARENT = ("network", "schedule.initial_resolution", "data.build_resolution")


def card_texts(
    name: str, recipe: Recipe, run: RunFiles, model: ModelFile, by: str, train: Path, args: argparse.Namespace
) -> dict[str, str]:
    """The card's fields by name (`growgan.sharing.card.FIELDS`)."""
    with open_dataset(train) as dataset:
        count, size = len(dataset), dataset.resolution
    pictures, training = recipe.pictures, model.training
    config = run.read_config()
    parent = args.parent or recipe.parent
    start = ["--from", Path(parent).stem, "--resolution", str(config.network.resolution)] if parent else []
    commands = [["data", "build", "PICTURES", "train.zip", "--resolution", str(size), *pictures.build]]
    before = RunFiles(Path("before"))
    if before.exists():
        commands.append(["train", "--data", "train.zip", "--out", "before", *start, *settings(before.read_config())])
        start = ["--from", "before (its last snapshot)"]
    commands.append(["train", "--data", "train.zip", "--out", "run", *start, *settings(config)])
    hours, threads = float(training.get("seconds", 0)) / 3600, config.execution.threads
    machine = args.machine or line(describe(set_up(ExecutionConfig(device=args.device))))
    on = f", {threads} thread{'s' * (threads > 1)}" if threads and not args.machine else ""
    return {
        "title": recipe.title,
        "license": pictures.license,
        "data": f"{count:,} pictures {pictures.about}. {pictures.terms}.",
        "intended_use": USE,
        "limits": f"{LIMITS} {args.seen or ''}".strip(),
        "notes": (
            f"Made by scripts/reference.py {name}: {'; '.join(shlex.join(['growgan', *words]) for words in commands)}. "
            f"The snapshot with the lowest {by} was chosen, after {int(training['nimg']):,} pictures "
            f"shown and {hours:.1f} hours on {machine}{on}; it was measured on other fakes than it was chosen by."
        ),
    }


def settings(config: RunConfig) -> list[str]:
    """The arguments of `growgan train` for a configuration: its preset, and what differs from it."""
    words = ["--preset", config.preset]
    usual = _flat(to_json(preset(config.preset)))
    for field, value in _flat(to_json(config)).items():
        section = field.partition(".")[0]
        if section in SECTIONS or field in (*OF_THE_DATA, *OF_THE_MACHINE) or value == usual.get(field):
            continue
        if config.start.model and {section, field} & {*OF_THE_PARENT}:
            continue
        words += ["--kimg", value] if field == "schedule.total_kimg" else ["--set", f"{field}={value}"]
    return words


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Values by section.field, in the notation of `--set`; numbers by resolution as ``150,8:50``."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and "base" in value:
            parts = (f"{size}:{number:g}" for size, number in value.items() if size != "base")
            found[prefix + key] = ",".join([f"{value['base']:g}", *parts])
        elif isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool) or value is None:
            found[prefix + key] = {True: "true", False: "false", None: "none"}[value]
        else:
            found[prefix + key] = f"{value:g}" if isinstance(value, float) else str(value)
    return found
