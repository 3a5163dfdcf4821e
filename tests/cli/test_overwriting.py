"""What is written over: files that growgan made, and none of anybody else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cli.conftest import Growgan
from PIL import Image

FILMS = ("--seconds", "0.2", "--fps", "10")
COMMANDS: dict[str, list[str]] = {
    "a grid": ["generate", "{run}", "--seeds", "0", "--grid", "1x1", "--out", "{photo}.png"],
    "a film": ["video", "{run}", *FILMS, "--out", "{photo}.gif"],
    "a film in webp": ["video", "{run}", *FILMS, "--out", "{photo}.webp"],
    "a film of a run": ["timelapse", "{run}", *FILMS, "--out", "{photo}.png"],
    "an edit": ["edit", "{run}", "--seeds", "1", "--move", "0:0.1", "--out", "{photo}.png"],
    "a film of an edit": ["edit", "{run}", "--seeds", "1", "--move", "0:0.1", *FILMS, "--out", "{photo}.gif"],
    "neighbours": ["neighbours", "{run}", "--data", "{set}", "--seeds", "0", "--out", "{photo}.png"],
    "a sheet": ["directions", "{run}", "--seeds", "0", "--out", "{here}/d.safetensors", "--sheet", "{photo}.png"],
    "a sheet of a set": ["data", "show", "{set}", "--grid", "2x2", "--out", "{photo}.png"],
    "a sheet in jpg": ["data", "show", "{set}", "--grid", "2x2", "--out", "{photo}.jpg"],
    "measurements": ["bench", "--preset", "tiny", "--parts", "steps", "--steps", "4:8", "--json", "{photo}.txt"],
    "an onnx": ["export", "{run}", "{photo}.onnx"],
}  # fmt: skip


def photograph(path: Path) -> bytes:
    """Something at `path` that is not growgan's."""
    if path.suffix in (".onnx", ".txt"):
        path.write_bytes(b"weights of somebody")
    else:
        Image.new("RGB", (20, 20), (200, 30, 30)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_of_somebody_else_stays(
    growgan: Growgan, tiny_run: Path, colour_set: Path, tmp_path: Path, name: str
) -> None:
    if name == "an onnx":
        pytest.importorskip("onnx")
    places = {"run": tiny_run, "set": colour_set, "here": tmp_path, "photo": tmp_path / "photo"}
    words = [word.format(**places) for word in COMMANDS[name]]
    (photo,) = (Path(word) for word in words if word.startswith(str(tmp_path / "photo")))
    before = photograph(photo)
    assert f"{photo} exists and was not made by growgan: choose another " in growgan(*words).refusal()
    assert photo.read_bytes() == before and list(tmp_path.iterdir()) == [photo]
    photo.unlink()
    for _ in range(2):  # and again
        assert growgan(*words).status == 0


@pytest.mark.parametrize("words", [["generate", "--seeds", "0-1"], ["edit", "--seeds", "0-1", "--move", "0:0.1"]])
def test_pictures_by_seed_are_written_over_if_they_are_ours(
    growgan: Growgan, tiny_run: Path, tmp_path: Path, words: list[str]
) -> None:
    command = [words[0], tiny_run, *words[1:], "--out", tmp_path / "p"]
    for _ in range(2):
        assert growgan(*command).status == 0
    before = photograph(tmp_path / "p" / "seed0001.png")
    (tmp_path / "p" / "seed0000.png").unlink()
    assert "seed0001.png exists and was not made by growgan" in growgan(*command).refusal()
    assert [path.read_bytes() for path in (tmp_path / "p").iterdir()] == [before]


def test_a_film_goes_into_a_folder_of_its_own(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    photograph(photos / "a.jpg")
    done = growgan("video", tiny_run, *FILMS, "--out", photos)
    assert done.status == 2 and f"{photos} exists and is not empty; use a separate folder" in done.err
    (photos / "a.jpg").rename(photos / ".hidden")
    assert growgan("video", tiny_run, *FILMS, "--out", photos).status == 0


def test_an_export_takes_the_place_of_nothing_but_an_export(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    run, out = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "d.safetensors"
    before = {path: path.read_bytes() for path in (run / "models").iterdir()}
    for name in ("best.safetensors", "stage-0004x0004.safetensors", "new.safetensors", "new.onnx"):
        assert "is among a run" in growgan("export", tiny_run, run / "models" / name).refusal()
    if os.name == "posix":  # nor by another name of that folder
        (tmp_path / "elsewhere").symlink_to(run / "models")
        assert (
            "among a run's own networks"
            in growgan("export", tiny_run, tmp_path / "elsewhere/best.safetensors").refusal()
        )
        other = Path(shutil.copytree(tiny_run, tmp_path / "other"))  # networks on another disk
        (other / "models").rename(tmp_path / "disk")
        (other / "models").symlink_to(tmp_path / "disk")
        assert (
            "among a run's own networks" in growgan("export", tiny_run, other / "models" / "best.safetensors").refusal()
        )
    assert (
        "among a run's own networks"
        in growgan("export", tiny_run, run / "state" / ".." / "models" / "m.onnx").refusal()
    )
    assert {path: path.read_bytes() for path in (run / "models").iterdir()} == before
    assert growgan("directions", run, "--count", "1", "--seeds", "0", "--out", out).status == 0
    directions = out.read_bytes()
    assert "d.safetensors exists and is not a model: choose another" in growgan("export", run, out).refusal()
    assert out.read_bytes() == directions
    for _ in range(2):
        assert growgan("export", run, tmp_path / "m.safetensors").status == 0
