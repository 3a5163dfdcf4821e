"""scripts/: what is not in the package, but makes what the package and its pages show."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.sampling.model import load

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def call(name: str, monkeypatch: pytest.MonkeyPatch, *words: object) -> Any:
    """The status of `python scripts/NAME.py WORDS...`."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
    return script(name).main()


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def test_figures(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = tiny_run / "models" / "stage-0008x0008.safetensors"
    for words in (
        ("grid", tiny_run, tmp_path / "grid.png", "--shape", "3x2"),
        ("growth", tiny_run, tmp_path / "growth.png"),
        ("curves", tiny_run, tmp_path / "curves.png"),
        ("losses", tiny_run, tmp_path / "losses.png"),
        ("change", stage, tiny_run, tmp_path / "change.png", "--shape", "3x2"),
    ):
        assert call("figures", monkeypatch, *words) == 0
    drawn = {path.stem: read(path) for path in tmp_path.glob("*.png")}
    assert set(drawn) == {"grid", "growth", "curves", "losses", "change"} and drawn["grid"].shape == (128, 192, 3)
    for model, top, factor in ((stage, 24, 8), (tiny_run, 24 + 128 + 24, 4)):
        first = load(model).sample(1, kind="numpy")[0].repeat(factor, 0).repeat(factor, 1).astype(int)
        assert np.abs(drawn["change"][top : top + 64, :64] - first).max() <= 1  # seeds in other batches
    assert call("figures", monkeypatch, "losses", tmp_path / "no-run", tmp_path / "x.png") == 2
