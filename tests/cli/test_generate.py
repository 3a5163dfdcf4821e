"""``growgan generate``: files, notes and refusals."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.sampling.model import load

Growgan = Callable[..., Any]


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).copy()


def notes(path: Path) -> dict[str, str]:
    with Image.open(path) as picture:
        return {key.removeprefix("growgan:"): value for key, value in picture.info.items()}


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_picture_a_seed(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    status, said, told = growgan("generate", tiny_run, "--seeds", "3,0-1,12345", "--out", out)
    assert (status, said) == (0, f"{out}\n")
    file = tiny_run / "models" / "best.safetensors"
    assert told == f"4 pictures, the first seed0003.png, by {file}: 16x16, trained for 0.32 kimg\n"
    assert names(out) == ["seed0000.png", "seed0001.png", "seed0003.png", "seed12345.png"]
    model = load(tiny_run)
    for seed in (0, 1, 3, 12345):
        path = out / f"seed{seed:04d}.png"
        alone = model.sample(1, seed=seed, kind="numpy")[0]  # another batch: at most one level of difference
        assert np.abs(read(path).astype(int) - alone).max() <= 1
        assert notes(path) == {"seed": str(seed), "model": model.file.hash, "truncation": "1"}
    assert model.file.hash == hashlib.sha256((tiny_run / "models" / "best.safetensors").read_bytes()).hexdigest()


def test_ten_seeds_here_without_words(
    growgan: Growgan, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert growgan("generate", tiny_run / "models" / "stage-0004x0004.safetensors").status == 0
    assert names(tmp_path) == [f"seed000{seed}.png" for seed in range(10)]
    assert read(tmp_path / "seed0000.png").shape == (4, 4, 3)


def test_the_batch_makes_no_difference(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    for batch in (1, 3, 8):
        assert growgan("generate", tiny_run, "--batch", batch, "--out", tmp_path / str(batch)).status == 0
    for name in names(tmp_path / "8"):
        pictures = [read(tmp_path / batch / name).astype(int) for batch in "138"]
        assert max(abs(picture - pictures[2]).max() for picture in pictures) <= 1


def test_grid(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    assert growgan("generate", tiny_run, "--grid", "3x2", "--seeds", "5", "--out", tmp_path).out == (
        f"{tmp_path / 'grid.png'}\n"
    )
    assert names(tmp_path) == ["grid.png"]
    grid = read(tmp_path / "grid.png")
    assert grid.shape == (128, 192, 3)
    pictures = load(tiny_run).sample(6, seed=5, batch=8, kind="numpy")
    assert np.array_equal(grid[64::4, 64:128:4], pictures[4])
    assert notes(tmp_path / "grid.png")["seeds"] == "5-10"
    assert growgan("generate", tiny_run, "--grid", "1x1", "--out", tmp_path / "own.PNG").status == 0
    assert read(tmp_path / "own.PNG").shape == (64, 64, 3)


def test_truncation(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    assert growgan("generate", tiny_run, "--seeds", "0-1", "--truncation", "0", "--out", tmp_path).status == 0
    assert np.array_equal(read(tmp_path / "seed0000.png"), read(tmp_path / "seed0001.png"))
    assert notes(tmp_path / "seed0001.png")["truncation"] == "0"


def test_classes(growgan: Growgan, labelled_run: Path, tmp_path: Path) -> None:
    for word in ("red", "1"):
        assert (
            growgan("generate", labelled_run, "--class", word, "--seeds", "0-2", "--out", tmp_path / word).status == 0
        )
    model = load(labelled_run)
    assert model.file.training["class_names"] == ["green", "red", "white"]
    assert model.distribution == {"counts": [20, 40, 4]}
    for name in names(tmp_path / "red"):
        assert np.array_equal(read(tmp_path / "red" / name), read(tmp_path / "1" / name))
        assert notes(tmp_path / "red" / name)["class"] == "red"
    own = model.labels(range(12))
    assert growgan("generate", labelled_run, "--seeds", "0-11", "--out", tmp_path / "own").status == 0
    assert [notes(tmp_path / "own" / f"seed{seed:04d}.png")["class"] for seed in range(12)] == own
    assert len(set(own)) > 1
    for words, noted in (((), "; ".join(own[:4])), (("--class", "white"), "white")):
        assert growgan("generate", labelled_run, "--grid", "2x2", *words, "--out", tmp_path).status == 0
        assert notes(tmp_path / "grid.png")["class"] == noted


def test_a_model_in_the_middle_of_a_fade(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    path = tiny_run / "models" / "snapshot-000000000256.safetensors"
    assert growgan("generate", path, "--seeds", "4", "--out", tmp_path).status == 0
    assert 0 < load(path).G.alpha < 1
    assert np.array_equal(read(tmp_path / "seed0004.png"), load(path).sample(1, seed=4, kind="numpy")[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", ""], "--seeds takes seeds such as 0-9 or 3,7,100-120, not ''"),
        (["--seeds", "a"], "--seeds takes seeds"),
        (["--seeds", "3-"], "--seeds takes seeds"),
        (["--seeds", "1,,2"], "--seeds takes seeds"),
        (["--seeds=-1"], "--seeds takes seeds"),
        (["--seeds", "²"], "--seeds takes seeds"),
        (["--seeds", "9-0"], "runs backwards"),
        (["--seeds", "4294967296"], "is out of range"),
        (["--seeds", "0-999999999999999999999"], "is out of range"),
        (["--seeds", "9" * 5000], "is out of range"),
        (["--seeds", "0-20000000"], "is out of range"),
        (["--grid", "8"], "--grid takes columns and rows such as 8x4, not '8'"),
        (["--grid", "0x4"], "--grid takes"),
        (["--grid=-1x4"], "--grid takes"),
        (["--grid", "²x²"], "--grid takes"),
        (["--grid", "1000x1000"], "is too large"),
        (["--grid", "9" * 5000 + "x1"], "is too large"),
        (["--grid", "2x1", "--seeds", "4294967295"], "a seed must be between 0 and 4294967295, not 4294967296"),
        (["--batch", "0"], "--batch must be at least 1, not 0"),
        (["--truncation", "-1"], "truncation must be between 0 and 2, not -1.0"),
        (["--truncation", "nan"], "truncation must be between"),
        (["--class", "red"], "this model has no classes"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--device", "cuda:99"], "this machine has no device 'cuda:99'"),
    ],
)
def test_bad_words(growgan: Growgan, tiny_run: Path, tmp_path: Path, words: list[str], message: str) -> None:
    line = growgan("generate", tiny_run, "--out", tmp_path / "out", *words).refusal()
    assert message in line and len(line) < 300
    assert names(tmp_path) == []


def test_a_picture_file_wants_a_grid(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    line = growgan("generate", tiny_run, "--seeds", "1", "--out", tmp_path / "face.png").refusal()
    assert "pictures go into a folder" in line and names(tmp_path) == []


def test_a_class_that_the_model_does_not_have(growgan: Growgan, labelled_run: Path, tmp_path: Path) -> None:
    for word in ("blue", "3", "-1"):
        line = growgan("generate", labelled_run, f"--class={word}", "--out", tmp_path / "out").refusal()
        assert f"unknown class '{word}'; this model has: green, red, white" in line
    assert names(tmp_path) == []


def test_a_model_that_is_none(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "no such file, run folder or shipped" in growgan("generate", "faces", "--out", out).refusal()
    assert "holds no model" in growgan("generate", tmp_path, "--out", out).refusal()
    assert "not a complete .safetensors file" in growgan("generate", tiny_run / "log.jsonl", "--out", out).refusal()
    shutil.copytree(tiny_run / "models", tmp_path / "run" / "models")
    best = tmp_path / "run" / "models" / "best.safetensors"
    best.write_bytes(best.read_bytes()[: best.stat().st_size // 2])
    assert (
        f"{best} is not a complete .safetensors file" in growgan("generate", tmp_path / "run", "--out", out).refusal()
    )
    assert names(tmp_path) == ["run"]


def test_a_folder_that_cannot_be_written(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words in (
        ["--out", tmp_path / "file"],
        ["--out", tmp_path / "file" / "x"],
        ["--out", tmp_path / "file" / "g.png"],
    ):
        assert "cannot write" in growgan("generate", tiny_run, "--grid", "1x1", *words).refusal()
    for name in ("file", "file/x"):
        assert "cannot write" in growgan("generate", tiny_run, "--out", tmp_path / name).refusal()
    assert names(tmp_path) == ["file"]


def test_a_grid_takes_the_seeds_that_are_named_and_goes_on_from_the_last(
    growgan: Growgan, tiny_run: Path, tmp_path: Path
) -> None:
    growgan("generate", tiny_run, "--seeds", "5,7,9", "--grid", "2x1", "--out", tmp_path / "two.png")
    assert notes(tmp_path / "two.png")["seeds"] == "5,7"
    growgan("generate", tiny_run, "--seeds", "5,7", "--grid", "2x2", "--out", tmp_path / "four.png")
    assert notes(tmp_path / "four.png")["seeds"] == "5,7,8,9"


def test_a_name_that_is_too_long_is_one_line(growgan: Growgan, tmp_path: Path) -> None:
    name = "x" * 300
    for words in (["generate", name], ["train", "--data", name, "--out", tmp_path / "run"], ["data", "info", name]):
        assert "too long" in growgan(*words).refusal()


def test_seeds_that_a_grid_has_no_room_for(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    words = ["generate", tiny_run, "--grid", "2x2", "--out", tmp_path / "grid.png"]
    assert "note: a grid of 2x2 leaves out 1 of 5 seeds\n" in growgan(*words, "--seeds", "1-5").err
    assert "note: a grid of 2x2 leaves out 6 of 10 seeds\n" in growgan(*words, "--seeds", "0-9").err
    assert "note" not in growgan(*words).err, "nobody has asked for ten"
