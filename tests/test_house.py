"""Habits of the house that no linter knows."""

from __future__ import annotations

import keyword
from importlib import import_module
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import growgan
from growgan.cli.main import COMMANDS
from growgan.core.config import LossConfig, RunConfig
from growgan.core.presets import PRESETS
from growgan.data.sources import FORMATS, Source
from growgan.losses import LOSSES
from growgan.losses.base import Loss

ROOT = Path(growgan.__file__).parent
LONGEST = 400
"""Lines of a module: beyond, it is two modules."""


def resolve(target: str) -> object:
    module, _, attribute = target.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def test_no_module_is_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_resolve(name: str) -> None:
    kind = resolve(LOSSES[name])
    assert isinstance(kind, type) and issubclass(kind, Loss)
    assert LossConfig(name=name).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
def test_formats_resolve(name: str) -> None:
    kind = resolve(FORMATS[name])
    assert isinstance(kind, type) and issubclass(kind, Source)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_resolve(name: str) -> None:
    module = resolve(COMMANDS[name])
    underscore = "_" * keyword.iskeyword(name)  # a module cannot be called `import`
    assert module.__name__ == f"growgan.cli.{name}{underscore}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole(name: str) -> None:
    assert isinstance(PRESETS[name](), RunConfig)


def test_losses_are_those_that_a_config_can_name() -> None:
    assert get_args(get_type_hints(LossConfig)["name"]) == tuple(LOSSES)


def test_public_names() -> None:
    errors = {"UserError", "ConfigError", "DataError", "ModelError", "OutOfMemory", "RunError"}
    assert set(growgan.__all__) == {"Model", "OnnxModel", "__version__", "keep_memory", "load"} | errors
    assert all(getattr(growgan, name) for name in growgan.__all__)
