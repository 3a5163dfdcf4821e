"""docs/models.md: its reader reads, and its commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import make_nets, make_spec
from safetensors.numpy import load_file

from growgan.cli.main import build_parser
from growgan.models.native import open_model, save_model

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
TYPES = {"F16": np.float16, "F32": np.float32}


def test_python_runs() -> None:
    _, code = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["x"].shape == (2, 3, 128, 128) and names["x"].std() > 0.1


@pytest.mark.parametrize("half", [False, True])
def test_the_reader_needs_nothing_and_reads_everything(tmp_path: Path, half: bool) -> None:
    code, _ = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(code.splitlines()) <= 20 and set(re.findall(r"import (\w+)", code)) == {"json", "struct"}
    names: dict[str, Any] = {}
    exec(code, names)
    G, D = make_nets(make_spec(num_labels=2), torch.float32)
    path = tmp_path / "m.safetensors"
    save_model(path, {"G_ema": G, "D": D}, training={"nimg": 5}, card={"title": "ä"}, half=half)
    metadata, tensors = names["read"](path)
    assert metadata["growgan.card"] == {"title": "ä"} and metadata["growgan.spec"]["num_labels"] == 2
    assert metadata["growgan.training"] == open_model(path).training and metadata["growgan.format"] == 1
    wanted = load_file(path)
    assert set(tensors) == set(wanted)
    for name, (dtype, shape, content) in tensors.items():
        found = np.frombuffer(content, dtype=TYPES[dtype]).reshape(shape)
        np.testing.assert_array_equal(found, wanted[name])


def test_its_commands_are_understood() -> None:
    commands = re.findall(r"^growgan .*$", PAGE, flags=re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        build_parser().parse_args(shlex.split(command, comments=True)[1:])


def test_every_key_is_in_the_page(tiny_run: Path) -> None:
    file = open_model(tiny_run / "models" / "best.safetensors")
    assert {key for key in file.training if f"`{key}`" not in PAGE} == set()
