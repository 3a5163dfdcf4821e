"""The data command: its sub-commands, run as the main program runs them."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from growgan.cli import data
from growgan.core.errors import ConfigError, DataError, RunError
from growgan.data.dataset import open_dataset


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(["b/x", "a/y", "a/z"]):
        file = tmp_path / "photos" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number // 2, 0, 0)).save(file)
    return tmp_path / "photos"


def test_build_and_info(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "a" / "bad.png").write_bytes(b"")
    out = tmp_path / "s.zip"
    assert run("build", photos, out, "--resolution", 16, "--crop", "0,0,0.5,1", "--labels", "folders") == 0
    said = capsys.readouterr()
    assert "3 pictures of 16x16, 3 channels" in said.out and "classes: a, b" in said.out
    assert said.err == "skipped a/bad.png: empty file\n"
    assert run("info", out, "--json", "--check") == 0
    info = json.loads(capsys.readouterr().out)
    assert info["labels"] == {"a": 2, "b": 1} and info["count"] == 3 and info["pyramid"] is False
    assert info["size_bytes"] == out.stat().st_size and info["broken"] == []
    assert info["duplicates"] == [["00000/img00000000.png", "00000/img00000002.png"]]
    assert run("info", out, "--check") == 0
    said = capsys.readouterr()
    assert "content hash: " in said.out and "  a: 2" in said.out and "duplicates: 1 group\n" in said.out


def test_check_lists_broken_pictures(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("build", photos, tmp_path / "set", "--resolution", 16)
    (tmp_path / "set" / "00000" / "img00000001.png").write_bytes(b"x")
    assert run("info", tmp_path / "set", "--check") == 1
    assert "img00000001.png not a picture" in capsys.readouterr().out


def test_show(photos: Path, tmp_path: Path) -> None:
    run("build", photos, tmp_path / "s.zip", "--resolution", 16)
    assert run("show", tmp_path / "s.zip", "--grid", "2x4", "--out", tmp_path / "sheet.png") == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (32, 32)
    with pytest.raises(RunError, match="cannot write"):
        run("show", tmp_path / "s.zip", "--out", photos / "a" / "y.png" / "sheet.png")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_sheet_is_what_its_name_says(photos: Path, tmp_path: Path, channels: int) -> None:
    run("build", photos, tmp_path / "s.zip", "--resolution", 16, "--channels", channels)
    for name, format in (("s.PNG", "PNG"), ("s.jpg", "JPEG"), ("s.jpeg", "JPEG"), ("new/s.webp", "WEBP")):
        assert run("show", tmp_path / "s.zip", "--out", tmp_path / name) == 0
        with Image.open(tmp_path / name) as sheet:
            assert sheet.format == format and sheet.width == 8 * 16
    for name in ("sheet", "sheet.gif", "sheet.pdf"):
        with pytest.raises(ConfigError, match=r"the sheet must be a \.png, \.jpg or \.webp file"):
            run("show", tmp_path / "s.zip", "--out", tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_sheet_that_no_webp_can_be(photos: Path, tmp_path: Path) -> None:
    run("build", photos, tmp_path / "s.zip", "--resolution", 16)
    with pytest.raises(ConfigError, match="the sheet is 32000x16"):
        run("show", tmp_path / "s.zip", "--grid", "2000x1", "--out", tmp_path / "s.webp")


def test_compare_tells_by_its_status(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("build", photos, tmp_path / "a.zip", "--resolution", 16)
    run("build", photos, tmp_path / "b", "--resolution", 16)
    (photos / "a" / "z.png").unlink()
    run("build", photos, tmp_path / "c.zip", "--resolution", 16)
    capsys.readouterr()
    assert run("compare", tmp_path / "a.zip", tmp_path / "b") == 0
    assert "the same pictures" in capsys.readouterr().out
    assert run("compare", tmp_path / "a.zip", tmp_path / "c.zip") == 1
    assert f"only in {tmp_path / 'a.zip'}: 1 (" in capsys.readouterr().out
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "broken.png").write_bytes((photos / "a" / "y.png").read_bytes()[:60])
        shutil.copy(photos / "a" / "y.png", tmp_path / folder)
    capsys.readouterr()
    assert run("compare", tmp_path / "one", tmp_path / "other") == 2
    assert "all others are the same pictures and labels; broken ones cannot be" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("compare", "--help")
    assert "Exit status: 0 if they do" in capsys.readouterr().out


def test_columns_that_are_none(photos: Path, tmp_path: Path) -> None:
    run("build", photos, tmp_path / "s.zip", "--resolution", 16)
    table = tmp_path / "t.csv"
    table.write_text("name,Smiling,Male\nx,1,0\ny,0,1\nz,0,0\n")
    labels = ["labels", tmp_path / "s.zip", "--from", table, "--columns"]
    with pytest.raises(DataError, match=r"'Smilling' or 'age'; did you mean Smiling\? it has Smiling, Male"):
        run(*labels, "Smilling,Male,age")
    for none in ("", ",", "Male,"):
        with pytest.raises(ConfigError, match="must be column names"):
            run(*labels, none)
    assert run(*labels, "Male, Smiling") == 0
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.class_names == ("Smiling", "Male")


@pytest.mark.parametrize(
    "words",
    [
        ["build", "a", "b", "--crop", "1,2,3"],
        ["build", "a", "b", "--crop", "1,2,3,x"],
        [],
    ],
)
def test_bad_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2
    capsys.readouterr()


def test_a_grid_that_is_none_is_refused(photos: Path, tmp_path: Path) -> None:
    run("build", photos, tmp_path / "s.zip", "--resolution", 16)
    with pytest.raises(ConfigError, match="--grid takes columns and rows"):
        run("show", tmp_path / "s.zip", "--grid", "0x3", "--out", tmp_path / "sheet.png")
