"""``growgan info``: what a stranger's file says cannot disturb a terminal, nor can a narrow one disturb the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from growgan.models.native import open_model, save_model

Growgan = Callable[..., Any]

TITLE = "\x1b]0;mine\x07 顔 \udc80"


@pytest.fixture
def model(tiny_run: Path, tmp_path: Path) -> Path:
    file = open_model(tiny_run / "models" / "best.safetensors")
    path = tmp_path / "model.safetensors"
    save_model(path, {"G_ema": file.network("G_ema")}, training=file.training, card={"title": TITLE})
    return path


def test_letters_that_are_none(growgan: Growgan, model: Path) -> None:
    status, out, _ = growgan("info", model)
    assert status == 0 and "\x1b" not in out and "\x07" not in out
    (title,) = (line for line in out.splitlines() if line.startswith("title"))
    assert "\\x1b]0;mine\\x07 顔 \\udc80" in title
    assert json.loads(growgan("info", model, "--json").out)["card"]["title"] == TITLE


def test_where_letters_cannot_be_written(model: Path) -> None:
    for words in (["info", model], ["info", model, "--json"]):
        command = [sys.executable, "-m", "growgan", *map(str, words)]
        environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr.decode()
        assert b"\\u9854" in done.stdout
