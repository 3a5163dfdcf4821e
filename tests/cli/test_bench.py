"""``growgan bench``: a table, a file, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from growgan.bench.table import number


def test_the_command(growgan: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    words = ["--preset", "tiny", "--parts", "steps", "--steps", "4:8,16:8", "--quick", "--device", "cpu", "--json", out]
    status, said, _ = growgan("bench", *words)
    assert status == 0
    machine, _, title, _, *rows = said.splitlines()
    assert "PyTorch" in machine and "Train steps" in title and [row.split()[1] for row in rows] == ["4x4", "16x16"]
    found = json.loads(out.read_text())
    assert found["machine"]["torch"] == torch.__version__ and found["config"]["preset"] == "tiny"
    assert [row["resolution"] for row in found["steps"]] == [4, 16]
    assert str(number(found["steps"][0]["images_per_second"])) in rows[0]


@pytest.mark.parametrize("text", ["8", "8x16", "8:16,", "8:16;3", ""])
def test_sizes_that_are_none(growgan: Callable[..., Any], text: str) -> None:
    assert "--steps takes" in growgan("bench", "--steps", text).refusal()
