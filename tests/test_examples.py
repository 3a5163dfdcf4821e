"""The examples run as their first lines say."""

from __future__ import annotations

import io
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import growgan
from growgan.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "explore.ipynb"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


def run(name: str, *words: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_all_of_them_are_run_here() -> None:
    assert SCRIPTS == ["grow_by_hand.py", "latent_walk.py", "onnx_alone.py", "train_and_measure.py"]
    for name in SCRIPTS:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert f"python examples/{name} " in text and len(text.splitlines()) <= 90


@pytest.mark.parametrize("run_", ["tiny_run", "labelled_run"])
def test_latent_walk(
    run_: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("latent_walk.py", request.getfixturevalue(run_), tmp_path / "walk.gif", monkeypatch=monkeypatch)
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.n_frames == 48 and film.size == (256, 256)
        frames = []
        for i in (0, 1, 12):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    near, far = (np.abs(frames[0] - frame).mean() for frame in frames[1:])
    assert 0 < near < far


def test_grow_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(EXAMPLES / "grow_by_hand.py"))
    script["main"](str(tmp_path / "discs.safetensors"), kimg=0.6)
    model = growgan.load(tmp_path / "discs.safetensors")
    assert model.resolution == 16 and model.file.has("D") and model.file.training["nimg"] >= 600
    with Image.open(tmp_path / "discs.png") as picture:
        assert picture.size == (512, 128)


def test_train_and_measure(
    tiny_run: Path, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    script = runpy.run_path(str(EXAMPLES / "train_and_measure.py"))
    run = str(tmp_path / "run")
    fields = {"schedule.total_kimg": "0.256", "execution.threads": "1", "snapshots.measure": "none"}
    assert script["main"](str(colour_set), run, str(tiny_run), **fields) > 0
    assert "0.3 thousand pictures\n" in capsys.readouterr().out
    assert script["main"](str(colour_set), run, str(tiny_run), 5, **{"schedule.total_kimg": "1000"}) > 0
    assert "thousand pictures, so far" in capsys.readouterr().out


def test_onnx_alone(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    assert main(["export", str(tiny_run), str(tmp_path / "m.onnx"), "--license", "cc0-1.0"]) == 0
    run("onnx_alone.py", tmp_path / "m.onnx", tmp_path / "row.png", monkeypatch=monkeypatch)
    assert "licence: cc0-1.0" in capsys.readouterr().out
    wanted = growgan.load(tiny_run).sample(8, truncation=0.8, kind="numpy")
    with Image.open(tmp_path / "row.png") as picture:
        found = np.asarray(picture).reshape(16, 8, 16, 3).transpose(1, 0, 2, 3)
    assert np.abs(found.astype(int) - wanted).max() <= 1
    text = (EXAMPLES / "onnx_alone.py").read_text(encoding="utf-8")
    assert "import torch" not in text and "import growgan" not in text


@pytest.mark.parametrize("run_", ["tiny_run", "labelled_run"])
def test_the_notebook_s_cells(run_: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in order; a cell's last line, where it is a value, is what the notebook would show."""
    import ast

    monkeypatch.setenv("SOURCE", str(request.getfixturevalue(run_)))
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [] and cell["execution_count"] is None  # nothing of somebody's run is kept
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            shown.append(value._repr_png_() if hasattr(value, "_repr_png_") else value)
    pictures = [value for value in shown if isinstance(value, bytes)]
    assert len(pictures) == 4
    for content in pictures:
        with Image.open(io.BytesIO(content)) as picture:
            assert np.asarray(picture).std() > 5


def test_the_notebook_in_jupyter(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("SOURCE", str(tiny_run))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=120).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
