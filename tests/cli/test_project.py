"""``growgan project``, and what `edit` and `video` do with photographs; refusals that lose nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.core.errors import ConfigError
from growgan.editing import projected
from growgan.editing.projection import Projector
from growgan.sampling.model import load

Growgan = Callable[..., Any]
QUICK = ("--steps", 4, "--starts", 5)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "me.png"
    path.parent.mkdir()
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return path


def test_photographs_are_found_shown_and_moved(
    growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(photo) as picture:
        picture.rotate(180).save(photo.with_name("you.jpg"), quality=95)
    photo.with_name("notes.txt").write_text("no picture")
    out = tmp_path / "new" / "p.safetensors"
    words = ["project", tiny_run, photo, "--out", out, *QUICK]
    status, said, lines = growgan(*words)
    assert status == 0 and said.splitlines()[-2:] == [str(out), str(out.with_suffix(".png"))]
    first = projected.read(out)
    assert first.names == ("me.png",) and f"{first.errors[0]:.1f}" in said

    status, said, lines = growgan("project", tiny_run, photo.parent, "--out", out, *QUICK)
    assert status == 0 and "skipped notes.txt" in lines
    found = projected.read(out)
    assert found.names == ("me.png", "you.jpg") and np.array_equal(found.z[0], first.z[0])
    model = load(tiny_run)
    pixels = next(iter(model.pictures(found.walk(model)))).transpose(0, 2, 3, 1).repeat(4, 1).repeat(4, 2)
    sheet = read(out.with_suffix(".png"))
    assert sheet.shape == (128, 128, 3)
    for column in (0, 1):
        assert np.array_equal(sheet[64:, 64 * column : 64 * column + 64], pixels[column])
    with Image.open(photo) as picture:
        square = picture.resize((16, 16), Image.Resampling.LANCZOS, box=(5, 0, 25, 20))
        assert np.array_equal(sheet[:64:4, :64:4], np.asarray(square))

    def none(*_: Any, **__: Any) -> None:
        raise AssertionError("it was looked for again")

    with monkeypatch.context() as patch:
        patch.setattr(Projector, "__init__", none)
        assert growgan("project", tiny_run, photo.parent, "--out", out, *QUICK).status == 0

    said = growgan("project", tiny_run, photo, "--out", out, *QUICK, "--crop", "0,0,1,1").refusal()
    assert "not 4 steps from the nearest of 5 seeds, crop 0,0,1,1: choose another --out" in said
    added = tmp_path / "new" / "copy.zip"
    with zipfile.ZipFile(added, "w") as archive:  # stored, so that a byte can be spoilt
        archive.write(photo, "a/me.png")
        archive.write(photo.with_name("you.jpg"), "you.jpg")
    content = added.read_bytes()
    at = content.index(photo.read_bytes()) + 60
    added.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    status, said, lines = growgan("project", tiny_run, added, photo, photo, "--out", out, *QUICK, "--batch", 1)
    assert status == 0 and "skipped a/me.png: cannot be read" in lines and "skipped me.png: equal to me.png" in lines
    assert [line.split()[:2] for line in said.splitlines()[1:3]] == [["photo0001", "you.jpg"], ["photo0000", "me.png"]]

    edited = tmp_path / "edited"
    assert growgan("edit", tiny_run, "--latents", out, "--move", "0:0", "--out", edited, "--size", 64).status == 0
    assert sorted(path.name for path in edited.iterdir()) == ["photo0000.png", "photo0001.png"]
    assert np.abs(read(edited / "photo0001.png") - pixels[1]).max() <= 1
    with Image.open(edited / "photo0001.png") as picture:
        assert picture.text["growgan:photograph"] == "you.jpg"  # type: ignore[attr-defined]
    sheet_path = tmp_path / "edit.png"
    assert growgan("edit", tiny_run, "--latents", out, "--move", "0:0.5", "--steps", 2, "--out", sheet_path).status == 0
    assert np.abs(read(sheet_path)[64:, :64] - pixels[1]).max() <= 1
    assert np.abs(read(sheet_path)[64:, 64:] - pixels[1]).mean() > 1
    film = tmp_path / "film"
    assert growgan("video", tiny_run, "--latents", out, "--seconds", 1, "--fps", 4, "--out", film).status == 0
    assert len(list(film.iterdir())) == 4 and np.abs(read(film / "frame00002.png") - pixels[1]).max() <= 1


def test_two_commands_on_one_file(
    growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (40, 40), "#804020").save(other)
    out, looked = tmp_path / "p.safetensors", Projector.__call__

    def meanwhile(self: Projector, *words: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(Projector, "__call__", looked)
            assert growgan("project", tiny_run, other, "--out", out, *QUICK).status == 0
        return looked(self, *words)

    monkeypatch.setattr(Projector, "__call__", meanwhile)
    assert growgan("project", tiny_run, photo, "--out", out, *QUICK).status == 0
    assert projected.read(out).names == ("other.png", "me.png")


def test_other_models_are_said(growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "p.safetensors", tmp_path / "copy.safetensors"
    assert growgan("project", tiny_run, photo, "--out", out, *QUICK).status == 0
    assert growgan("export", tiny_run, copy, "--license", "cc0-1.0").status == 0
    assert "projected with a different model file" in growgan("project", copy, photo, "--out", out, *QUICK).refusal()
    words = ["--latents", out, "--move", "0:0.2", "--out", tmp_path / "e.png"]
    status, _, lines = growgan("edit", copy, *words)
    assert status == 0 and f"the photographs in {out} were projected with a different model file" in lines
    film = growgan("video", tiny_run, "--latents", out, "--seconds", 1, "--fps", 4, "--out", tmp_path / "film")
    assert "needs at least two" in film.refusal()


def test_what_is_interrupted_goes_on(
    growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 40), "#804020").save(photo.with_name("next.png"))
    out, wholly = tmp_path / "p.safetensors", tmp_path / "whole.safetensors"
    looked, calls = Projector.__call__, []

    def interrupted(self: Projector, *words: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return looked(self, *words)

    words = ["project", tiny_run, photo.parent, *QUICK, "--out"]
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "__call__", interrupted)
        assert growgan(*words, out).status == 130
    assert projected.read(out).names == ("me.png",)
    assert growgan(*words, out).status == growgan(*words, wholly).status == 0
    assert out.read_bytes() == wholly.read_bytes()


def test_classes(growgan: Growgan, labelled_run: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.safetensors"
    assert growgan("project", labelled_run, photo, "--class", 1, "--out", out, *QUICK, "--latents-only").status == 0
    found = projected.read(out)
    assert found.offset is None and found.labels is not None and found.labels.tolist() == [1]
    said = growgan("project", labelled_run, photo, "--class", 0, "--out", out, *QUICK, "--latents-only").refusal()
    assert "with 4 steps" in said and "choose another --out" in said and projected.read(out).labels.tolist() == [1]  # type: ignore[union-attr]
    words = ["edit", labelled_run, "--latents", out, "--move", "0:0.2", "--class", 1, "--out", tmp_path / "e.png"]
    assert "projected photographs keep the class" in growgan(*words).refusal()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing.jpg"], "no such file"),
        (["PHOTO", "--out", "p.png"], "must end in .safetensors"),
        (["PHOTO", "--sheet", "p.jpg"], "must end in .png"),
        (["PHOTO", "--steps", 0], "at least 1"),
        (["PHOTO", "--starts", 0], "at least 1"),
        (["PHOTO", "--starts", 10**11], "--starts and --steps must be at most 1,000,000"),
        (["PHOTO", "--steps", 10**20], "--starts and --steps must be at most 1,000,000"),
        (["PHOTO", "--batch", 0], "at least 1"),
        (["PHOTO", "--crop", "0,0,50,50"], "no photograph in"),
        (["PHOTO", "--crop", "9,0,5,50"], "crop 9,0,5,50"),
        (["photos"], "no photograph in photos"),
        (["photos", "--out", "photos/p.safetensors"], "is in photos, among the photographs"),
        (["PHOTO", "--sheet", "PHOTO"], "me.png is one of the photographs"),
        (["PHOTO", "--out", "other.safetensors"], "other.png exists and was not made by growgan: choose"),
        (["PHOTO", "--class", "1"], "has no classes"),
        (["TEXT"], "skipped text.txt: not a picture"),
        (["HEIC"], "HEIC is not supported"),
    ],
)
def test_refusals(
    words: list[Any], told: str, growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "photos").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("words")
    heic = tmp_path / "IMG_1.HEIC"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    before = photo.read_bytes()
    other = tmp_path / "other.png"
    Image.new("RGB", (20, 20)).save(other)
    theirs = other.read_bytes()
    named = [{"PHOTO": photo, "TEXT": text, "HEIC": heic}.get(word, word) for word in words]
    if named == ["photos"]:
        photo.write_bytes(b"broken")
        before = b"broken"
    status, said, lines = growgan("project", tiny_run, *named)
    assert (status, said) == (2, "") and told in lines and lines.splitlines()[-1].startswith("growgan")
    assert photo.read_bytes() == before and other.read_bytes() == theirs
    there = ["IMG_1.HEIC", "me.png", "other.png", "photos", "text.txt"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == there


def test_a_file_that_is_none_is_not_written_over(growgan: Growgan, tiny_run: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.safetensors"
    out.write_bytes(b"something else")
    assert "is not a file of photographs" in growgan("project", tiny_run, photo, "--out", out, *QUICK).refusal()
    assert out.read_bytes() == b"something else"
    with pytest.raises(ConfigError):
        Projector(load(tiny_run), starts=0)
