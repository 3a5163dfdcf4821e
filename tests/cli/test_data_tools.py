"""The data command's tools, run as the shell runs them: info, show, extract, compare and labels, for any source."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.making_sets import encode, make_pixels, write_mnist, write_tar
from PIL import Image, JpegImagePlugin

PIXELS = make_pixels(6, 16)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for n, name in enumerate(["b/x", "a/y", "a/z"]):
        file = tmp_path / "photos" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        wide = np.pad(PIXELS[n], [(0, 0), (0, 0), (3, 5)])
        file.write_bytes(encode(wide))
    (tmp_path / "photos" / "a" / "y2.bmp").write_bytes((tmp_path / "photos" / "a" / "y.png").read_bytes())
    (tmp_path / "photos" / "note.txt").write_text("hello")
    return tmp_path / "photos"


def test_info_of_plain_pictures(growgan: Any, photos: Path) -> None:
    said = growgan("data", "info", photos)
    assert said.status == 0 and said.err == ""
    assert "4 pictures, not a finished dataset" in said.out and "sizes: 24x16 4" in said.out
    assert "would produce: 16x16, centre square" in said.out and "note.txt: not a picture" in said.out
    said = growgan("data", "info", photos, "--json", "--check")
    found = json.loads(said.out)
    assert said.status == 0 and found["finished"] is False
    assert found["formats"] == {"PNG": 4} and found["channels"] == {"3": 4}
    assert found["unusable"] == [["note.txt", "not a picture"]] and found["broken"] == []
    assert found["duplicates"] == [["a/y.png", "a/y2.bmp"]]


def test_broken_is_what_is_called_a_picture_or_begins_as_one(growgan: Any, photos: Path, tmp_path: Path) -> None:
    (photos / "in.zip").write_bytes(b"PK")
    (photos / "nowhere").symlink_to(tmp_path / "absent")
    growgan("data", "extract", photos, tmp_path / "plain")
    said = growgan("data", "compare", photos, tmp_path / "plain", "--json")
    assert said.status == 0 and json.loads(said.out)["broken"] == []
    (photos / "b" / "x").write_bytes((photos / "b" / "x.png").read_bytes()[:60])
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "nowhere.png").symlink_to(tmp_path / "absent")
    said = growgan("data", "info", photos, "--json", "--check")
    names = sorted(line.partition(":")[0] for line in json.loads(said.out)["broken"])
    assert said.status == 1 and names == ["b/x", "empty.jpg", "nowhere.png"]
    assert growgan("data", "compare", photos, tmp_path / "plain").status == 2


def test_photographs_with_a_dataset_json_are_no_set_yet(growgan: Any, photos: Path, tmp_path: Path) -> None:
    labels = [["a/y.png", 0], ["a/y2.bmp", 0], ["a/z.png", 1], ["b/x.png", 1]]
    (photos / "dataset.json").write_text(json.dumps({"labels": labels, "class_names": ["p", "q"]}))
    found = json.loads(growgan("data", "info", photos, "--json").out)
    assert found["finished"] is False and found["count"] == 4 and found["labels"] == {"p": 2, "q": 2}
    assert growgan("data", "show", photos, "--out", tmp_path / "sheet.png").status == 0
    (photos / "dataset.json").write_text('{"labels": 3}')
    assert "dataset.json: labels must be null or a list" in growgan("data", "info", photos).refusal()


def test_info_counts_the_labels_of_other_formats(growgan: Any, tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "mnist", make_pixels(4, 28, 1)[:, 0], np.array([1, 0, 1, 1]))
    found = json.loads(growgan("data", "info", folder, "--json").out)
    assert found["labels"] == {"0": 1, "1": 3} and found["formats"] == {"raw": 4} and found["resolution"] == 32
    assert growgan("data", "info", folder, "--split", "test").refusal()


def test_info_of_a_finished_set_checks_it(growgan: Any, photos: Path, tmp_path: Path) -> None:
    growgan("data", "build", photos, tmp_path / "s.zip")
    found = json.loads(growgan("data", "info", tmp_path / "s.zip", "--json", "--check").out)
    assert found["finished"] is True and found["count"] == 4 and len(found["duplicates"]) == 1


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names that are no text")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_show_a_set_whose_name_is_no_text(growgan: Any, photos: Path, tmp_path: Path, suffix: str) -> None:
    place = photos.rename(tmp_path / "q\udcff")
    assert growgan("data", "show", place, "--out", tmp_path / f"sheet{suffix}").status == 0
    assert rb"q\udcff" in (tmp_path / f"sheet{suffix}").read_bytes()
    if suffix == ".jpg":
        with Image.open(tmp_path / "sheet.jpg") as sheet:
            assert JpegImagePlugin.get_sampling(sheet) == 0  # colours at full resolution


def test_show_any_source(growgan: Any, photos: Path, tmp_path: Path) -> None:
    assert growgan("data", "show", photos, "--grid", "3x2", "--out", tmp_path / "sheet.png").status == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (384, 256)
        # Fitted into the cell, whole: 24x16 keeps its size in the middle of 128x128.
        middle = np.asarray(sheet.crop((52, 56, 76, 72)))
    with Image.open(photos / "a" / "y.png") as first:
        assert np.array_equal(middle, np.asarray(first))
    (tmp_path / "empty").mkdir()
    assert "no usable picture" in growgan("data", "show", tmp_path / "empty", "--out", tmp_path / "x.png").refusal()


def test_extract_and_compare(growgan: Any, photos: Path, tmp_path: Path) -> None:
    growgan("data", "build", photos, tmp_path / "s.zip", "--labels", "folders")
    said = growgan("data", "extract", tmp_path / "s.zip", tmp_path / "plain")
    assert said.status == 0 and sorted(item.name for item in (tmp_path / "plain").iterdir()) == [
        f"img{n:08d}.png" for n in range(4)
    ]
    said = growgan("data", "extract", tmp_path / "s.zip", tmp_path / "classes", "--by-class", "--limit", 3)
    names = sorted(item.relative_to(tmp_path / "classes").as_posix() for item in (tmp_path / "classes").rglob("*.png"))
    assert names == ["a/img00000000.png", "a/img00000001.png", "a/img00000002.png"]
    assert "already exists" in growgan("data", "extract", tmp_path / "s.zip", tmp_path / "plain").refusal()
    assert "would then hold every picture twice" in growgan("data", "extract", photos, photos / "copy").refusal()
    growgan("data", "build", tmp_path / "plain", tmp_path / "bare.zip")
    said = growgan("data", "compare", tmp_path / "plain", tmp_path / "bare.zip")
    assert said.status == 0 and "the same pictures and labels, in the same order" in said.out
    said = growgan("data", "compare", tmp_path / "s.zip", tmp_path / "bare.zip", "--json")
    found = json.loads(said.out)
    assert said.status == 1 and found["same"] is False and len(found["relabelled"]) == 4 and not found["only_a"]


def test_compare_is_by_pixels_not_by_names_or_files(growgan: Any, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {f"{n}.png": encode(PIXELS[n]) for n in range(4)})
    write_tar(tmp_path / "b.tar", {f"x{n}.bmp": encode(PIXELS[3 - n], "BMP") for n in range(4)}, "w:xz")
    said = growgan("data", "compare", tmp_path / "a.tar", tmp_path / "b.tar")
    assert said.status == 0 and "not in the same order" in said.out
    twice = {f"{n}.png": encode(PIXELS[index]) for n, index in enumerate([0, 0, 1, 2, 5])}
    write_tar(tmp_path / "c.tar", twice)
    found = json.loads(growgan("data", "compare", tmp_path / "a.tar", tmp_path / "c.tar", "--json").out)
    assert found["only_a"] == ["3.png"] and len(found["only_b"]) == 2 and "4.png" in found["only_b"]


def test_hostile_class_names_make_tame_folders(growgan: Any, tmp_path: Path) -> None:
    (tmp_path / "s" / "00000").mkdir(parents=True)
    names = [f"00000/img{n:08d}.png" for n in range(4)]
    for name, pixels in zip(names, PIXELS):
        (tmp_path / "s" / name).write_bytes(encode(pixels))
    content = {"labels": [[name, n] for n, name in enumerate(names)], "class_names": ["../../x", "", "a/b", "été 1"]}
    (tmp_path / "s" / "dataset.json").write_text(json.dumps(content))
    assert growgan("data", "extract", tmp_path / "s", tmp_path / "out", "--by-class").status == 0
    folders = sorted(item.name for item in (tmp_path / "out").iterdir())
    assert len(folders) == 4 and all((tmp_path / "out" / name).is_dir() for name in folders) and "été 1" in folders
    assert not any("/" in name or name.startswith(".") for name in folders)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out", "s"]


def test_classes_of_any_script_have_folders_of_their_own(growgan: Any, tmp_path: Path) -> None:
    (tmp_path / "s" / "00000").mkdir(parents=True)
    names = [f"00000/img{n:08d}.png" for n in range(6)]
    for n, name in enumerate(names):
        (tmp_path / "s" / name).write_bytes(encode(PIXELS[n % 4]))
    classes = ["🐱", "\ud800x", "कि", "की", "a/b", "a:b"]
    content = {"labels": [[name, n] for n, name in enumerate(names)], "class_names": classes}
    (tmp_path / "s" / "dataset.json").write_text(json.dumps(content))
    assert growgan("data", "extract", tmp_path / "s", tmp_path / "out", "--by-class").status == 0
    assert {item.name for item in (tmp_path / "out").iterdir()} == {"🐱", "_x", "कि", "की", "a_b", "a_b (2)"}


def test_labels_are_listed_and_set(growgan: Any, photos: Path, tmp_path: Path) -> None:
    growgan("data", "build", photos, tmp_path / "s.zip")
    assert growgan("data", "labels", tmp_path / "s.zip").out == f"{tmp_path / 's.zip'}: no labels\n"
    said = growgan("data", "labels", tmp_path / "s.zip", "--from", "folders")
    assert said.out.splitlines()[1:] == ["  a: 3", "  b: 1"]
    (tmp_path / "l.csv").write_text("name,hat,smile\nx,1,0\ny,1,1\ny2,0,0\nz,0,1\n")
    said = growgan("data", "labels", tmp_path / "s.zip", "--from", tmp_path / "l.csv", "--json")
    assert json.loads(said.out) == {"multi_label": True, "labels": {"hat": 2, "smile": 2}}
    said = growgan("data", "labels", tmp_path / "s.zip", "--from", tmp_path / "l.csv", "--columns", "smile")
    assert said.out.splitlines()[1:] == ["  0: 2", "  1: 2"]
    assert (
        "no label column 'nose'"
        in growgan("data", "labels", tmp_path / "s.zip", "--from", tmp_path / "l.csv", "--columns", "nose").refusal()
    )
    assert "--columns needs" in growgan("data", "labels", tmp_path / "s.zip", "--columns", "a").refusal()


@pytest.mark.parametrize("pad", ["black", "white", "edge", "mirror"])
def test_padding(growgan: Any, tmp_path: Path, pad: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode(PIXELS[0][:, 4:12]))  # 16x8
    said = growgan("data", "build", tmp_path / "in", tmp_path / "s.zip", "--pad", pad)
    assert f"whole picture padded to a square ({pad})" in said.out
    growgan("data", "extract", tmp_path / "s.zip", tmp_path / "out")
    with Image.open(tmp_path / "out" / "img00000000.png") as image:
        made = np.asarray(image).transpose(2, 0, 1)
    part = PIXELS[0][:, 4:12]
    above = {
        "black": np.zeros_like(part[:, :4]),
        "white": np.full_like(part[:, :4], 255),
        "edge": np.repeat(part[:, :1], 4, axis=1),
        "mirror": part[:, 3::-1],
    }[pad]
    assert np.array_equal(made[:, :4], above) and np.array_equal(made[:, 4:12], part)
    line = growgan("data", "build", tmp_path / "in", tmp_path / "t.zip", "--pad", "grey").refusal()
    assert "--pad grey: must be one of" in line
