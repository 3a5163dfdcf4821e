"""``growgan info``: what a stranger's file says cannot disturb a terminal, nor can a narrow one disturb the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
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


def test_in_a_terminal_long_texts_are_folded(growgan: Growgan, model: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")  # none on Windows
    notes = "a way of making it that is told at length, " * 8
    file = open_model(model)
    told = tmp_path / "told.safetensors"
    save_model(told, {"G_ema": file.network("G_ema")}, training=file.training, card={"notes": notes})
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "growgan", "info", str(told)]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | {"COLUMNS": "60"}) as process:
        os.close(theirs)
        shown = _all_of(ours).decode().splitlines()
    assert process.returncode == 0
    first = next(n for n, line in enumerate(shown) if line.startswith("notes"))
    folded = shown[first : shown.index("", first)]
    assert len(folded) > 5 and max(map(len, folded)) <= 60
    assert " ".join(line.removeprefix("notes").strip() for line in folded) == notes.strip()
    piped = growgan("info", told).out
    assert any(line.endswith(notes.strip()) for line in piped.splitlines()), "what is searched is not folded"


def _all_of(terminal: int) -> bytes:
    parts = []
    with suppress(OSError):  # how a terminal ends on Linux; elsewhere by an empty read
        while part := os.read(terminal, 4096):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts)
