"""``growgan directions`` and ``growgan edit``: sheets, films, pictures and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.editing import directions
from growgan.sampling.latents import draw_arrays
from growgan.sampling.model import load

Growgan = Callable[..., Any]


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_directions_are_written_drawn_and_followed(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "d.safetensors"
    status, said, _ = growgan("directions", tiny_run, "--out", out, "--count", 3, "--seeds", "5,2", "--reach", 0.5)
    assert (
        status == 0
        and said.splitlines()[0] == "direction  weight"
        and said.splitlines()[4].startswith("(weight: how strongly the first layer reacts")
        and said.splitlines()[-1] == f"{out.with_suffix('.png')}"
    )
    found = directions.read(out)
    model = load(tiny_run)
    assert np.allclose(found.vectors, directions.of_weights(model, 3).vectors)
    sheet = read(out.with_suffix(".png"))
    assert sheet.shape == (3 * 72 + 8, 110 + 2 * (5 * 64 + 8), 3)
    edge = sheet[8 + 72 : 8 + 72 + 64, 110 + 4 * 64 : 110 + 5 * 64]  # direction 1, seed 5, all the way
    assert np.abs(edge - enlarged(model, found, {"1": 0.5}, 5, 0.8)).max() <= 1
    middle = sheet[8 : 8 + 64, 110 + 2 * 64 : 110 + 3 * 64]
    assert np.abs(middle - enlarged(model, found, {}, 5, 0.8)).max() <= 1

    way = tmp_path / "edit.png"
    words = ["--seeds", "5,2", "--move", "1:0.5,0:-0.2", "--steps", 3, "--out"]
    assert growgan("edit", tiny_run, *words, way).status == 0
    assert growgan("edit", tiny_run, *words, tmp_path / "same.png", "--directions", out).status == 0
    shown = read(way)
    assert shown.shape == (128, 192, 3) and np.array_equal(shown, read(tmp_path / "same.png"))
    for row, seed in enumerate((5, 2)):
        for column, part in enumerate((0, 0.5, 1)):
            cell = shown[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
            wanted = enlarged(model, found, {"1": 0.5 * part, "0": -0.2 * part}, seed)
            assert np.abs(cell - wanted).max() <= 1
    assert growgan("edit", tiny_run, *words, tmp_path / "moved", "--size", 64).status == 0
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == ["seed0002.png", "seed0005.png"]
    assert np.abs(read(tmp_path / "moved" / "seed0002.png") - shown[64:, 128:]).max() <= 1


def enlarged(model: Any, found: Any, moves: dict[str, float], seed: int, truncation: float = 1.0) -> np.ndarray:
    z, _ = draw_arrays([seed], model.spec, {})
    (pixels,) = model._pictures(found.move(z, moves), None, truncation)
    return pixels.transpose(1, 2, 0).repeat(4, 0).repeat(4, 1)  # 16 pixels are shown as 64


def test_a_film_goes_there_and_back(growgan: Growgan, labelled_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "edit.gif"
    words = ["--move", "0:0.8", "--seeds", "1-3", "--seconds", 1, "--fps", 10, "--out", out]
    assert growgan("edit", labelled_run, *words).status == 0
    with Image.open(out) as film:
        assert film.size[0] == 3 * film.size[1]
        found = []
        for number in range(film.n_frames):
            film.seek(number)
            found.append(np.asarray(film.convert("RGB")).astype(int))
    away = [np.abs(frame - found[0]).mean() for frame in found]
    assert len(found) == 10 and away[5] == max(away) > 1 and away[1] == pytest.approx(away[9], abs=0.3)


def test_directions_of_a_table(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    model = load(tiny_run)
    z, _ = draw_arrays(range(60), model.spec, {})
    table = tmp_path / "said.csv"
    rows = [f"{seed},{'yes' if z[seed, 0] > 0 else 'no'},{z[seed, 1]:.2f}" for seed in range(60)]
    table.write_text("seed,first,second\n" + "\n".join([*rows, "60,,1"]) + "\n")
    out = tmp_path / "d.safetensors"
    status, said, _ = growgan("directions", tiny_run, "--labels", table, "--without", "second", "--out", out)
    assert status == 0 and said.startswith("direction  predicted  labels\nfirst ")
    assert "(predicted: how much of the labels' variance" in said
    assert (
        "--count applies without --labels" in growgan("directions", tiny_run, "--labels", table, "--count", 3).refusal()
    )
    found = directions.read(out)
    assert found.names == ("first", "second") and abs(found.of("first") @ found.of("second")) < 1e-6
    assert found.of("first")[0] > 0.5 and found.of("second")[1] > 0.5
    assert growgan("edit", tiny_run, "--directions", out, "--move", "first:1", "--out", tmp_path / "e.png").status == 0


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, "cannot be read"),
        ("", "needs a first line"),
        ("a,b\n1,2\n", "needs a first line"),
        ("seed\n1\n", "needs a first line"),
        ("seed,x\nq,1\n", "line 2: 'q' is not a seed"),
        ("seed,x\n1,1\n2,maybe\n", "line 3: 'maybe' is not a number"),
        ("seed,x\n1,nan\n", "'nan' is not a number"),
        ("seed,x\n1,1\n2,0\n", "at least 20 labels"),
        ("seed,x\n" + "".join(f"{i},{5 + i % 2 * 1e-13}\n" for i in range(30)), "not all equal"),
        ("seed,x,x\n1,1,1\n", "cannot be a column name"),
        ("seed,x,seed\n1,1,1\n", "cannot be a column name"),
        ("seed,a:b\n1,1\n", "cannot be a column name"),
        ("seed,,x\n1,1,1\n", "cannot be a column name"),
        ("seed,x\n\n\n1,1,1\n", "line 4: 3 columns, not 2"),
        ("seed,x\n1,1\n1,0\n", "line 3: '1' a second time"),
        ("seed,x\n99999999999,1\n", "line 2: '99999999999' is not a seed"),
        ("seed,x\n\u0663,1\n", "is not a seed"),
        ("seed,x\n1," + "9" * 3000 + "x\n", "is not a number"),
        ('seed,x\n1,"1\n', "cannot be read"),
    ],
)
def test_tables_that_cannot_be_used(
    table: str | None, told: str, growgan: Growgan, tiny_run: Path, tmp_path: Path
) -> None:
    path, out = tmp_path / "said.csv", tmp_path / "out" / "d.safetensors"
    if table is not None:
        path.write_text(table, encoding="utf-8")
    status, said, lines = growgan("directions", tiny_run, "--labels", path, "--out", out)
    assert (status, said) == (2, "") and told in lines and len(lines.splitlines()) == 1
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--move", "0"], "--move takes"),
        (["--move", "0:x"], "--move takes"),
        (["--move", "0:nan"], "--move takes"),
        (["--move", ":1"], "--move takes"),
        (["--move", "0:99"], "--move takes"),
        (["--move", "smile:1"], "unknown direction 'smile'"),
        (["--move", "0:1", "--directions", "none"], "no such file: none"),
        (["--move", "0:1", "--directions", __file__], "is not a file of directions: not a complete .safetensors file"),
        (["--move", "0:1", "--steps", "1"], "--steps"),
        (["--move", "0:1", "--out", "edit.avi"], "a film must be"),
        (["--move", "0:1", "--out", "edit.jpg"], "pictures are written as .png"),
        (["--move", "0:1", "--size", "17"], "--size must be"),
        (["--move", "0:1", "--steps", "9999"], "is too large"),
    ],
)
def test_refusals_of_edit(
    words: list[str], told: str, growgan: Growgan, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, lines = growgan("edit", tiny_run, *words)
    assert (status, said) == (2, "") and told in lines and len(lines.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_tables_as_spreadsheets_write_them(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    for number, mark in enumerate((",", ";", "\t")):
        table = f"\ufeffSeed{mark} tall \r\n" + "".join(f"{i}{mark} {i % 2}e200\r\n" for i in range(30))
        (tmp_path / "said.csv").write_text(table, encoding="utf-8", newline="")
        out = tmp_path / f"{number}.safetensors"
        assert growgan("directions", tiny_run, "--labels", tmp_path / "said.csv", "--out", out).status == 0
        found = directions.read(out)
        assert found.names == ("tall",) and np.linalg.norm(found.vectors) == pytest.approx(1)


def test_names_that_are_too_long_for_the_sheet(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    name = "w" * 60
    (tmp_path / "said.csv").write_text(f"seed,{name}\n" + "".join(f"{i},{i % 2}\n" for i in range(30)))
    out = tmp_path / "d.safetensors"
    status, said, _ = growgan("directions", tiny_run, "--labels", tmp_path / "said.csv", "--out", out)
    assert status == 0 and name in said
    legend = read(out.with_suffix(".png"))[:, 102:110]
    assert (legend == 255).all()
    words = ["--directions", out, "--move", f" {name} : 0.2 ,{name}:0.1", "--out", tmp_path / "e.png"]
    assert growgan("edit", tiny_run, *words).status == 0


def test_directions_of_another_model(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    found = directions.of_weights(load(tiny_run), 2)
    directions.save(tmp_path / "other.safetensors", replace(found, model="0" * 64))
    directions.save(tmp_path / "short.safetensors", replace(found, vectors=np.eye(2, 5, dtype=np.float32)))
    words = ["--move", "0:1", "--out", tmp_path / "e.png", "--directions"]
    status, _, lines = growgan("edit", tiny_run, *words, tmp_path / "other.safetensors")
    assert status == 0 and "was made from a different model file" in lines
    status, _, lines = growgan("edit", tiny_run, *words, tmp_path / "short.safetensors")
    assert status == 2 and "latents of 5 numbers" in lines


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "d.txt"], "must end in .safetensors"),
        (["--out", "."], "must end in .safetensors"),
        (["--out", ""], "must end in .safetensors"),
        (["--sheet", "/dev/null/d.png"], "cannot be written"),
        (["--seeds", "0-19999"], "is too large"),
        (["--count", "8", "--seeds", "0-999"], "is too large"),
        (["--sheet", "d.jpg"], "must end in .png"),
        (["--reach", "0"], "--reach"),
        (["--count", "9999"], ", not 9999"),
        (["--without", "smile"], "unknown direction 'smile'"),
        (["--class", "1"], "no classes"),
    ],
)
def test_refusals_of_directions(
    words: list[str], told: str, growgan: Growgan, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, lines = growgan("directions", tiny_run, *words)
    assert (status, said) == (2, "") and told in lines and len(lines.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_exported_model_follows_directions_but_has_none(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model, file = tmp_path / "model.onnx", tmp_path / "d.safetensors"
    assert growgan("export", tiny_run, model).status == 0
    assert growgan("directions", tiny_run, "--out", file).status == 0
    status, _, lines = growgan("edit", model, "--move", "0:1", "--out", tmp_path / "a.png")
    assert status == 2 and "has no readable weights" in lines
    assert growgan("edit", model, "--move", "0:1", "--directions", file, "--out", tmp_path / "a.png").status == 0
    assert growgan("edit", tiny_run, "--move", "0:1", "--out", tmp_path / "b.png").status == 0
    assert np.abs(read(tmp_path / "a.png") - read(tmp_path / "b.png")).max() <= 1


def test_directions_are_written_over_nothing_else(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model.safetensors", tmp_path / "found.safetensors"
    assert growgan("export", tiny_run, model, "--license", "cc0-1.0").status == 0
    before = model.read_bytes()
    said = growgan("directions", model, "--count", "2", "--out", model)
    assert said.status == 2 and "model.safetensors is not a file of directions" in said.err
    assert model.read_bytes() == before
    for _ in range(2):
        assert growgan("directions", model, "--count", "2", "--out", out).status == 0
