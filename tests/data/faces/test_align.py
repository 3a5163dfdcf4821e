"""From pictures to a set of faces: what is kept, what is not and why, and what lies beside the set."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from drawn_faces import draw, find_colour, place, write_list
from PIL import Image, ImageFilter

from growgan.cli.main import main
from growgan.core.errors import ConfigError, DataError
from growgan.data import parallel
from growgan.data.dataset import open_dataset
from growgan.data.faces import align as align_module
from growgan.data.faces import weights
from growgan.data.faces.align import align
from growgan.data.faces.detect import Face
from growgan.data.faces.judge import Rules
from growgan.data.faces.landmarks import COLUMNS, read_landmarks
from growgan.data.faces.sheet import Sheet, Verdict
from growgan.data.faces.spectrum import measure_sharpness

RULES = Rules(resolution=32, min_size=60, min_sharpness=0.3)


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    """Photographs with one, two, a small, a cut-off, a blurred and no face, one that is broken; and a list for them."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    faces: dict[str, list[Any]] = {
        "a one.png": [place(120, 110, 20, 10)],
        "b two.png": [place(80, 100, 12), place(200, 100, 18)],
        "c small.png": [place(100, 100, 6)],
        "d edge.png": [place(10, 10, 20)],
        "e blurred.png": [place(120, 110, 20)],
        "f none.png": [],
    }
    for name, points in faces.items():
        image = draw((300, 220), *points)
        image = image.filter(ImageFilter.GaussianBlur(12)) if "blurred" in name else image
        image.save(folder / name)
    faces["sub/g.png"] = [place(110, 110, 20)]
    draw((300, 220), *faces["sub/g.png"]).save(folder / "sub" / "g.png")
    (folder / "h broken.png").write_bytes(b"no picture")
    rows = [[name, *points.ravel().tolist()] for name, found in faces.items() for points in found]
    table = tmp_path / "landmarks.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["image_id", *COLUMNS], *rows])
    return folder, table


def test_the_set_the_table_and_the_sheet(photos: tuple[Path, Path], tmp_path: Path) -> None:
    report = align(photos[0], tmp_path / "set.zip", RULES, landmarks=photos[1])
    assert report.counts == {
        "kept": 4, "beyond the edge": 1, "blurred": 1, "no face": 1, "too small": 1,
    }  # fmt: skip
    assert [item.name for item in report.skipped] == ["h broken.png"] and report.pictures == 7
    with open_dataset(tmp_path / "set.zip") as dataset:
        assert len(dataset) == 4 and dataset.resolution == 32 and dataset.channels == 3
        for index in range(4):
            image = Image.fromarray(dataset.read(index).transpose(1, 2, 0))
            assert find_colour(image, (0, 0, 255)) == pytest.approx([16, 16 - 0.8 + 8], abs=1)
    rows = list(csv.DictReader(report.table.read_text().splitlines()))
    assert [(row["file"], row["picture"][-5:-4], row["reason"]) for row in rows] == [
        ("a one.png", "0", "kept"),
        ("b two.png", "1", "kept"),
        ("b two.png", "2", "kept"),
        ("c small.png", "", "too small"),
        ("d edge.png", "", "beyond the edge"),
        ("e blurred.png", "", "blurred"),
        ("f none.png", "", "no face"),
        ("sub/g.png", "3", "kept"),
    ]
    assert [float(row["size"]) for row in rows[1:3]] == [144, 96]
    assert float(rows[0]["angle"]) == pytest.approx(10, abs=0.01)
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert json.loads(archive.read("dataset.json"))["sources"] == [row["file"] for row in rows if row["picture"]]
    with Image.open(report.sheet) as sheet:
        assert sheet.format == "PNG" and sheet.width > 1000


def test_the_same_pictures_give_the_same_bytes_and_the_table_is_landmarks_too(
    photos: tuple[Path, Path], tmp_path: Path
) -> None:
    first = align(photos[0], tmp_path / "a.zip", RULES, landmarks=photos[1])
    again = align(photos[0], tmp_path / "b.zip", RULES, landmarks=first.table)
    third = align(photos[0], tmp_path / "c.zip", RULES, landmarks=photos[1])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "c.zip").read_bytes()
    assert first.table.read_bytes() == third.table.read_bytes()
    assert first.sheet.read_bytes() == third.sheet.read_bytes()
    assert again.counts == first.counts


def test_a_table_that_was_corrected_by_hand_is_kept(photos: tuple[Path, Path], tmp_path: Path) -> None:
    out, said = tmp_path / "a.zip", []
    table = align(photos[0], out, RULES, landmarks=photos[1]).table
    plain = table.read_bytes()
    align(photos[0], out, RULES, landmarks=photos[1], overwrite=True, say=said.append)
    assert not said  # it is the same
    corrected = plain + b"\n"
    table.write_bytes(corrected)
    align(photos[0], out, RULES, landmarks=photos[1], overwrite=True, say=said.append)
    kept = table.with_name(f"{table.name}.before")
    assert (table.read_bytes(), kept.read_bytes()) == (plain, corrected) and str(kept) in said[0]
    table.write_bytes(corrected + b"\n")
    align(photos[0], out, RULES, landmarks=photos[1], overwrite=True, say=said.append)
    assert kept.read_bytes() == corrected and kept.with_name(f"{kept.name}1").read_bytes() == corrected + b"\n"


def test_labels_and_limits(photos: tuple[Path, Path], tmp_path: Path) -> None:
    rules = Rules(resolution=32, min_size=60, most=1)
    report = align(photos[0], tmp_path / "one", rules, landmarks=photos[1])
    assert report.counts["one too many"] == 1
    two = align(photos[0], tmp_path / "two", rules, landmarks=photos[1], limit=2, format="jpg", quality=90)
    assert two.counts["kept"] == 2 and (tmp_path / "two" / "00000" / "img00000001.jpg").exists()
    labelled = align(photos[0], tmp_path / "lab.zip", rules, landmarks=photos[1], labels="folders")
    assert labelled.class_names == ("sub",) and labelled.counts == {"kept": 1}


def test_nothing_is_left_of_what_fails(photos: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "set.zip"
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"h broken\.png: not a picture"):
        align(photos[0], out, RULES, landmarks=photos[1], strict=True)
    nothing = r"no face was kept \(too small: 7, no face: 1, not a picture: 1\); crops below 2000 pixels"
    with pytest.raises(DataError, match=nothing):
        align(photos[0], out, Rules(resolution=32, min_size=2000), landmarks=photos[1])
    with pytest.raises(DataError, match=r"kept \(in no folder, so it has no class: \d+\)$"):
        align(photos[0] / "sub", out, RULES, landmarks=photos[1], labels="folders")
    with pytest.raises(DataError, match="inside its own source"):
        align(photos[0], photos[0] / "set.zip", RULES, landmarks=photos[1])
    assert sorted(tmp_path.iterdir()) == before
    align(photos[0], out, RULES, landmarks=photos[1])
    with pytest.raises(DataError, match="already exists"):
        align(photos[0], out, RULES, landmarks=photos[1])


def test_a_turned_photograph_is_turned_before(tmp_path: Path) -> None:
    landmarks = place(120, 110, 20)
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    draw((300, 220), landmarks).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photos" / "x.png", exif=exif)
    write_list(tmp_path / "list.txt", {"x.png": landmarks})
    report = align(tmp_path / "photos", tmp_path / "set", RULES, landmarks=tmp_path / "list.txt")
    with Image.open(tmp_path / "set" / "00000" / "img00000000.png") as image:
        assert find_colour(image, (0, 0, 255)) == pytest.approx([16, 16 - 0.8 + 8], abs=1)
    assert report.counts == {"kept": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be CelebA's list"),
        ("file,x,y\na,1,2\n", "with the columns file, left_eye_x"),
        ("2\nnames\na.jpg 1 2 3\n", "line 3: must have ten numbers"),
        ("2\nnames\na.jpg 1 2 3 4 5 6 7 8 9 x\n", "line 3: not numbers"),
        ("2\nnames\na.jpg 1 2 3 4 5 6 7 8 9 nan\n", "line 3: must have ten numbers"),
        ("2\nnames\n", "no landmarks"),
        (f"file,{','.join(COLUMNS)}\na,1\n", "line 2: too few columns"),
    ],
)
def test_landmarks_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "l").write_text(text)
    with pytest.raises(DataError, match=message):
        read_landmarks(tmp_path / "l")
    with pytest.raises(DataError, match="cannot be read"):
        read_landmarks(tmp_path / "none")


def test_names_of_columns_and_files(tmp_path: Path) -> None:
    head = ",".join(["image_id", *(column.replace("_", "", 1) for column in COLUMNS)])
    assert head.startswith("image_id,lefteye_x,lefteye_y,righteye_x")
    (tmp_path / "l.csv").write_text(f"{head}\n1.jpg,1,2,3,4,5,6,7,8,9,10\n1.jpg,11,2,3,4,5,6,7,8,9,10\n")
    found = read_landmarks(tmp_path / "l.csv")
    image = Image.new("RGB", (9, 9))
    assert [face.landmarks[0].tolist() for face in found.find("folder/1.jpg", image)] == [[1, 2], [11, 2]]
    assert found.find("2.jpg", image) == []
    (tmp_path / "l.csv").write_text(f"{head},confidence\n1.jpg,{'1,' * 10}0.72\n1.jpg,{'1,' * 10}\n")
    assert [face.confidence for face in read_landmarks(tmp_path / "l.csv").find("1.jpg", image)] == [0.72, 1.0]
    (tmp_path / "l.csv").write_text(f"{head},confidence\n1.jpg,{'1,' * 10}sure\n")
    with pytest.raises(DataError, match="line 2: not numbers"):
        read_landmarks(tmp_path / "l.csv")


@pytest.mark.parametrize(
    "wish", [{"min_size": 0}, {"min_size": float("nan")}, {"min_confidence": 2}, {"min_inside": -1}, {"most": 0}]
)
def test_impossible_rules(wish: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        Rules(**{"resolution": 32, "min_size": 10, **wish})


def test_sharpness_falls_with_blur_halftone_and_enlarging_but_not_with_contrast() -> None:
    noise = np.random.default_rng(2).normal(size=(128, 128))
    frequency = np.hypot(np.fft.fftfreq(128), np.fft.fftfreq(128)[:, None]) + 1 / 128
    natural = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    image = Image.fromarray(np.clip(128 + 40 * natural / natural.std(), 0, 255).astype(np.uint8))
    whole = measure_sharpness(image)
    assert 0.5 < whole <= 1
    blurred = [measure_sharpness(image.filter(ImageFilter.GaussianBlur(r))) for r in (0.7, 1.5, 3)]
    assert whole > blurred[0] > blurred[1] > blurred[2]
    stripes = 30 * np.sin(np.arange(128) * 2)
    halftone = Image.fromarray(np.clip(np.asarray(image, float) + stripes, 0, 255).astype(np.uint8))
    assert measure_sharpness(halftone) < whole / 2
    assert measure_sharpness(image.resize((32, 32)).resize((128, 128))) < whole / 2
    assert measure_sharpness(image.point(lambda level: level // 2)) == pytest.approx(whole, rel=0.1)
    assert measure_sharpness(Image.new("RGB", (64, 64), "grey")) == 0


def test_a_sheet_stays_small() -> None:
    sheet = Sheet()
    view = Image.new("RGB", (96, 96))
    for number in range(5000):
        sheet.add(Verdict("x", "kept" if number % 5 else "blurred", f"{number}", view=view))
    assert sheet.counts == {"kept": 4000, "blurred": 1000}
    assert sheet.draw().height < 1300


def test_the_command(
    photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["data", "align", str(photos[0]), str(tmp_path / "set.zip"), "--resolution", "32", "--min-size", "60"]
    words += ["--min-sharpness", "0.3"]
    assert main([*words, "--landmarks", str(photos[1])]) == 0
    said = capsys.readouterr()
    assert "4 faces of 32x32 from 7 pictures" in said.out
    assert "rejected: " in said.out and "too small 1" in said.out and "set.zip.faces.png" in said.out
    assert said.err == "skipped h broken.png: not a picture\n"
    for wrong in (["--no-refine"], ["--detector", str(tmp_path)]):
        assert main([*words, "--landmarks", str(photos[1]), *wrong]) == 2
        assert (
            capsys.readouterr().err
            == f"growgan: {wrong[0]} applies to detected landmarks and cannot be combined with --landmarks\n"
        )
    monkeypatch.setattr(weights, "installed_folder", lambda: None)
    assert main([*words, "--overwrite"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


class Finder:
    """In place of the detector: faces by colour, and how often it was asked; it fails when ``patience`` is used up."""

    digest = "drawn"
    asked: ClassVar[list[tuple[int, int]]] = []
    patience = 1000

    def __init__(self, smallest: float, weights: Path | None, refine: bool) -> None:
        self.asked.clear()

    def detect(self, image: Image.Image) -> list[Face]:
        if len(self.asked) >= Finder.patience:
            raise KeyboardInterrupt
        self.asked.append(image.size)
        points = place(120.1, 110.2, 20, 7)
        return [Face(points, 0.9 + 1 / 30), Face(place(120, 110, 10), 0.95)] if np.asarray(image)[..., 0].any() else []


def test_the_terms_of_the_fit_are_told_where_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(align_module, "Detector", Finder)
    folder = tmp_path / "photos"
    folder.mkdir()
    image = draw((300, 220), place(120, 110, 20, 7))
    image.save(folder / "a.png")
    words = ["data", "align", str(folder), str(tmp_path / "set.zip"), "--resolution", "32", "--overwrite"]
    assert main(words) == 0
    said = capsys.readouterr()
    first = said.err.splitlines()[0]
    assert "non-commercial" not in said.out
    assert "non-commercial" in first and "--no-refine" in first
    for without in (["--no-refine"], ["--landmarks", str(tmp_path / "set.zip.faces.csv")]):
        assert main([*words, *without]) == 0
        assert "non-commercial" not in capsys.readouterr().err


def write_photos(folder: Path) -> None:
    for n in range(12):
        (folder / f"{n}").mkdir(parents=True)
        draw((300, 220 + n), place(120, 110, 20, n)).save(folder / f"{n}" / "same name.png")
    Image.new("RGB", (300, 200)).save(folder / "none.png")


def test_a_killed_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align_module, "Detector", Finder)
    monkeypatch.setattr(parallel, "count_cores", lambda: 1)
    write_photos(tmp_path / "photos")
    align(tmp_path / "photos", tmp_path / "whole.zip", RULES)
    out = tmp_path / "set.zip"
    found = tmp_path / "set.zip.faces.found"
    monkeypatch.setattr(Finder, "patience", 9)
    with pytest.raises(KeyboardInterrupt):
        align(tmp_path / "photos", out, RULES)
    monkeypatch.setattr(Finder, "patience", 1000)
    known = len(found.read_text().splitlines()) - 1
    assert 0 < known <= 9 and not out.exists()
    with found.open("a") as file:
        file.write('["half of a li')
    align(tmp_path / "photos", out, RULES)
    assert len(Finder.asked) == 13 - known
    for end in ("", ".faces.csv", ".faces.png"):
        assert (tmp_path / f"set.zip{end}").read_bytes() == (tmp_path / f"whole.zip{end}").read_bytes()
    assert not found.exists() and not (tmp_path / "whole.zip.faces.found").exists()


def test_what_was_found_for_other_sizes_or_by_others_is_found_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(align_module, "Detector", Finder)
    write_photos(tmp_path / "photos")
    asked = []
    for digest, size, sharpness in (("a", 60, 1), ("a", 60, 1), ("a", 61, 1), ("b", 61, 1), ("b", 61, 0.3)):
        monkeypatch.setattr(Finder, "digest", digest)
        rules = Rules(resolution=32, min_size=size, min_sharpness=sharpness)
        if sharpness == 1:
            with pytest.raises(DataError, match="no face was kept"):
                align(tmp_path / "photos", tmp_path / "set.zip", rules)
        else:
            align(tmp_path / "photos", tmp_path / "set.zip", rules)
        asked.append(len(Finder.asked))
    assert asked == [13, 0, 13, 13, 0]


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_that_lets_nothing_through(photos: tuple[Path, Path], tmp_path: Path, limit: int) -> None:
    with pytest.raises(DataError, match=f"limit {limit}: must be at least 1"):
        align(photos[0], tmp_path / "set.zip", RULES, landmarks=photos[1], limit=limit)


def test_kind_and_split_are_those_of_build(photos: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder has no splits"):
        align(photos[0], tmp_path / "set.zip", RULES, landmarks=photos[1], split="test")
    words = ["data", "align", str(photos[0]), str(tmp_path / "set.zip"), "--kind", "tar", "--landmarks", str(photos[1])]
    assert main(words) == 2


def test_pixels_instead_of_files(tmp_path: Path) -> None:
    """A source of arrays, such as idx files, has faces too; here none is found, which is said."""
    buffer = io.BytesIO()
    buffer.write(b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (1, 28, 28)) + bytes(784))
    labels = b"\x00\x00\x08\x01" + (1).to_bytes(4, "big") + b"\x00"
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / "train-images-idx3-ubyte").write_bytes(buffer.getvalue())
    (tmp_path / "idx" / "train-labels-idx1-ubyte").write_bytes(labels)
    write_list(tmp_path / "list.txt", {"x.png": place(5, 5, 2)})
    with pytest.raises(DataError, match="no face: 1"):
        align(tmp_path / "idx", tmp_path / "out", RULES, landmarks=tmp_path / "list.txt")
