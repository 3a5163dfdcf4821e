"""Type hints are shipped: a user's script is checked against them."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import growgan

SCRIPT = """
from PIL.Image import Image

import growgan

G = growgan.load("RUN")
pictures: list[Image] = G.sample(4, seed=1)
reveal_type(G.sample(4, kind="numpy").dtype)
reveal_type(G.sample(4, kind="tensor"))
reveal_type(growgan.OnnxModel("m.onnx").sample(2))
G.sample(4, kind="jpeg")
G.paint()
growgan.laod("RUN")
growgan.load("RUN", precision="bf16")
try:
    shown: list[Image] = G.render(*G.draw([3, 7]))
except growgan.UserError as error:
    print(error)
"""


def test_the_marker_is_there() -> None:
    assert files(growgan).joinpath("py.typed").is_file()


@pytest.mark.slow
def test_a_user_s_script_is_checked(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".cache", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if " error: " in line or "Revealed type" in line]
    lines = {int(line.split(":")[1]): line for line in said}
    assert "numpy.dtype" in lines[8] and 'Revealed type is "torch._tensor.Tensor"' in lines[9]
    assert "list[PIL.Image.Image]" in lines[10]
    assert "No overload variant" in lines[11] and '"Model" has no attribute "paint"' in lines[12]
    assert 'no attribute "laod"' in lines[13] and "incompatible type \"Literal['bf16']\"" in lines[14]
    assert "import-untyped" not in done.stdout and not {7, 16, 17} & set(lines)
