"""Any pictures become a finished set, and what cannot be used is named, never fatal, never half-written."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from data.making_sets import DISPLAY_P3, SRGB, make_profile
from PIL import Image

from growgan.core.errors import DataError
from growgan.data import transform
from growgan.data.build import build
from growgan.data.dataset import is_finished, open_dataset
from growgan.data.faces.align import open_upright
from growgan.data.framing import Framing
from growgan.data.partial import Hold, name_partial
from growgan.data.pictures import decode_whole, open_picture, read_header, turn_upright
from growgan.data.sources import open_source


def make_photo(size: tuple[int, int], seed: int = 0, mode: str = "RGB") -> Image.Image:
    """A smooth picture with a corner of its own, so that turning and cropping show."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 / width, y * 255 / height, np.full(x.shape, seed * 40 % 256)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def read_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
        return {name: archive.read(name) for name in archive.namelist()}


def save_pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        make_photo((20, 20), number).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, size in enumerate([(40, 40), (50, 64), (33, 32), (100, 90)]):
        make_photo(size, number).save(folder / f"p{number}.png")
    return folder


def test_folder_becomes_a_set(photos: Path, tmp_path: Path) -> None:
    report = build(photos, tmp_path / "set.zip")
    assert (report.count, report.resolution, report.channels, report.skipped) == (4, 32, 3, [])
    members = read_members(tmp_path / "set.zip")
    assert list(members) == [f"00000/img{n:08d}.png" for n in range(4)] + ["dataset.json"]
    origins = [f"p{n}.png" for n in range(4)]
    assert json.loads(members["dataset.json"]) == {"labels": None, "class_names": [], "sources": origins}
    with open_dataset(tmp_path / "set.zip") as dataset:
        expected = Image.open(photos / "p1.png").resize((32, 32), Image.Resampling.LANCZOS, box=(0, 7, 50, 57))
        assert np.array_equal(dataset.images([1])[0].transpose(1, 2, 0), np.asarray(expected))


def test_same_input_same_bytes_and_same_hash(photos: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip", "a", "b"):
        build(photos, tmp_path / name, resolution=16)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert open_dataset(tmp_path / "a").content_hash == open_dataset(tmp_path / "b").content_hash


def test_five_digit_folders_hold_a_thousand(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(1002):
        Image.new("L", (4, 4), number % 256).save(tmp_path / "in" / f"{number:04d}.png")
    build(tmp_path / "in", tmp_path / "out")
    assert sorted(item.name for item in (tmp_path / "out" / "00001").iterdir()) == [
        "img00001000.png",
        "img00001001.png",
    ]
    with open_dataset(tmp_path / "out") as dataset:
        assert dataset.channels == 1
        assert dataset.images(np.arange(1002))[:, 0, 0, 0].tolist() == [n % 256 for n in range(1002)]


@pytest.mark.parametrize(
    ("size", "crop", "box"),
    [
        ((178, 218), (25, 57, 153, 185), (25, 57, 153, 185)),
        ((256, 256), (0.25, 0.25, 0.75, 0.75), (64, 64, 192, 192)),
        ((300, 128), (0, 0, 300, 128), (86, 0, 214, 128)),
    ],
)
def test_crop(tmp_path: Path, size: tuple[int, int], crop: tuple[float, ...], box: tuple[int, ...]) -> None:
    (tmp_path / "in").mkdir()
    photo = make_photo(size)
    photo.save(tmp_path / "in" / "a.png")
    build(tmp_path / "in", tmp_path / "s.zip", resolution=128, crop=crop)
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert np.array_equal(dataset.read(0).transpose(1, 2, 0), np.asarray(photo.crop(box)))


def test_crop_outside_and_small_pictures_are_skipped(photos: Path, tmp_path: Path) -> None:
    report = build(photos, tmp_path / "a.zip", resolution=16, crop=(0, 0, 60, 60))
    assert report.count == 1 and len(report.skipped) == 3 and "does not contain the crop" in report.skipped[0].reason
    report = build(photos, tmp_path / "b.zip", resolution=64)
    assert report.count == 1 and report.skipped[0].reason == "smaller than 64x64"
    assert build(photos, tmp_path / "c.zip", resolution=64, upscale=True).count == 4


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = make_photo((64, 96))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the Transpose that undoes each
    turned = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"a.{suffix}"
    turned.save(path, exif=exif, quality=98)
    assert read_header(open_picture(path.read_bytes()))[1:3] == (64, 96)
    build(tmp_path / "in", tmp_path / "s.zip", resolution=64, crop=(0, 32, 64, 96))
    with open_dataset(tmp_path / "s.zip") as dataset:
        made = dataset.read(0).transpose(1, 2, 0).astype(int)
    assert np.abs(made - np.asarray(upright)[32:]).mean() < 3
    assert np.abs(np.asarray(open_upright(path.read_bytes())).astype(int) - np.asarray(upright)).mean() < 3


def test_fitting_jpegs_and_pngs_are_copied_byte_for_byte(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_photo((32, 32)).save(folder / "a.jpg")
    make_photo((32, 32)).save(folder / "b.png", compress_level=9)
    make_photo((32, 32), mode="L").save(folder / "c.jpg")
    make_photo((32, 32)).quantize().save(folder / "d.png")
    make_photo((32, 32)).save(folder / "e.webp", lossless=True)
    report = build(folder, tmp_path / "s.zip")
    members = read_members(tmp_path / "s.zip")
    assert report.copied == 2 and report.resolution == 32
    assert members["00000/img00000000.jpg"] == (folder / "a.jpg").read_bytes()
    assert members["00000/img00000001.png"] == (folder / "b.png").read_bytes()
    assert [name for name in members if name.endswith(".png")] == [f"00000/img{n:08d}.png" for n in range(1, 5)]
    with open_dataset(tmp_path / "s.zip") as dataset:
        dataset.ensure_pyramid()


def test_modes_are_converted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)).save(folder / "a16.png")
    Image.new("LA", (8, 8), (0, 0)).save(folder / "b.png")
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(folder / "c.png")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(folder / "d.jpg", quality=100)
    frames = [Image.new("P", (8, 8), n) for n in range(3)]
    for frame in frames:
        frame.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    frames[0].save(folder / "e.gif", save_all=True, append_images=frames[1:])
    Image.new("1", (8, 8), 1).save(folder / "f.png")
    report = build(folder, tmp_path / "s.zip")
    assert report.count == 6 and report.channels == 3 and report.skipped == []
    with open_dataset(tmp_path / "s.zip") as dataset:
        colours = [dataset.read(n)[:, 4, 4].tolist() for n in range(6)]
    assert colours[:3] == [[100] * 3, [255] * 3, [255] * 3]
    assert np.abs(np.subtract(colours[3], [254, 0, 0])).max() < 12
    assert colours[4:] == [[10, 20, 30], [255] * 3]
    assert build(folder, tmp_path / "rgba.zip", channels=4).channels == 4
    with open_dataset(tmp_path / "rgba.zip") as dataset:
        assert dataset.read(2)[3].max() == 0 and dataset.read(0)[3].min() == 255


def test_colour_profiles_are_converted_to_srgb(tmp_path: Path) -> None:
    features = pytest.importorskip("PIL.features")
    if not features.check("littlecms2"):
        pytest.skip("a Pillow without colour management")
    (tmp_path / "in").mkdir()
    wide, usual = make_profile(*DISPLAY_P3), make_profile(*SRGB)
    picture = Image.new("RGB", (16, 16), (200, 140, 110))
    palette = Image.new("P", (16, 16))
    palette.putpalette([200, 140, 110])
    clear = Image.new("RGBA", (16, 16), (200, 140, 110, 128))
    for name, image, options in (
        ("a.png", picture, {"icc_profile": wide}),
        ("b.jpg", picture, {"icc_profile": wide, "quality": 100}),
        ("c.png", palette, {"icc_profile": wide}),
        ("d.png", picture, {"icc_profile": usual}),
        ("e.png", picture, {"icc_profile": b"damaged"}),
        ("f.jpg", picture.convert("CMYK"), {"icc_profile": wide, "quality": 100}),  # one that is not for CMYK
        ("g.png", Image.new("L", (16, 16), 9), {"icc_profile": wide}),
    ):
        image.save(tmp_path / "in" / name, **options)
    report = build(tmp_path / "in", tmp_path / "s.zip", channels=3)
    assert (report.count, report.copied, report.skipped) == (7, 2, [])  # d and e
    with open_dataset(tmp_path / "s.zip") as dataset:
        colours = [dataset.read(n)[:, 8, 8].astype(int) for n in range(7)]
    for converted in colours[:3]:
        assert np.abs(converted - (211, 137, 104)).max() <= 2, converted
    for same in colours[3:6]:
        assert np.abs(same - (200, 140, 110)).max() <= 2, same
    for name, data in read_members(tmp_path / "s.zip").items():
        kept = name.endswith(".png") and "icc_profile" in Image.open(io.BytesIO(data)).info
        assert kept == (name in ("00000/img00000003.png", "00000/img00000004.png"))
    clear.save(tmp_path / "clear.png", icc_profile=wide)
    pixels = decode_whole((tmp_path / "clear.png").read_bytes())[:, 8, 8].astype(int)
    assert pixels[3] == 128 and np.abs(pixels[:3] - (211, 137, 104)).max() <= 2


def test_large_jpegs_are_decoded_smaller_with_the_same_result(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.RandomState(0).normal(0, 4, (701, 1003, 3))
    photo = Image.fromarray((np.asarray(make_photo((1003, 701))) + noise).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "in" / "a.jpg", quality=95, exif=exif)
    build(tmp_path / "in", tmp_path / "s.zip", resolution=32)
    with Image.open(tmp_path / "in" / "a.jpg") as whole:
        upright = whole.transpose(Image.Transpose.ROTATE_270)
    expected = upright.resize((32, 32), Image.Resampling.LANCZOS, box=(0, 151, 701, 852))
    with open_dataset(tmp_path / "s.zip") as dataset:
        made = dataset.read(0).transpose(1, 2, 0).astype(int)
    assert np.abs(made - np.asarray(expected)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_large_jpegs_that_are_turned_are_cut_where_they_should_be(orientation: int) -> None:
    """Decoded at an eighth, 1401x1049 pixels become 176x132, up to 7 more on the right and at the bottom."""
    random = np.random.RandomState(1)
    coarse = Image.fromarray(random.randint(0, 256, (18, 24, 3)).astype(np.uint8))
    stored = coarse.resize((1401, 1049), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    stored.save(data, "JPEG", quality=97, subsampling=0, exif=exif)
    upright = turn_upright(stored, orientation)
    left, top = ((edge - 1049) // 2 for edge in upright.size)
    expected = upright.resize((16, 16), Image.Resampling.LANCZOS, box=(left, top, left + 1049, top + 1049))
    for crop in (None, (left, top, left + 1049, top + 1049)):
        made = transform.Transform(resolution=16, channels=3, framing=Framing(crop)).picture(data.getvalue())
        assert np.abs(np.asarray(made).astype(int) - np.asarray(expected)).max() <= 3


def test_all_grey_is_one_channel(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_photo((8, 8), mode="L").save(tmp_path / "in" / "a.png")
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "in" / "b.png")
    assert build(tmp_path / "in", tmp_path / "s.zip").channels == 1


def write_bomb(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 12_000, 9_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def test_photographs_may_be_twice_as_large_as_other_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    (tmp_path / "in").mkdir()
    for name, side in (("a.jpg", 44), ("b.jpg", 45), ("c.png", 31), ("d.png", 32)):
        make_photo((side, side)).save(tmp_path / "in" / name)
    report = build(tmp_path / "in", tmp_path / "s.zip", resolution=16)
    bomb = "too many pixels, possibly a decompression bomb"
    assert report.count == 2 and report.skipped == [("b.jpg", bomb), ("d.png", bomb)]


def test_unusable_files_are_skipped_and_named(photos: Path, tmp_path: Path) -> None:
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "notes.txt").write_text("hello")
    photo = (photos / "p3.png").read_bytes()
    (photos / "half.png").write_bytes(photo[: len(photo) // 2])
    whole = io.BytesIO()
    make_photo((64, 64)).save(whole, "JPEG")
    (photos / "half.jpg").write_bytes(whole.getvalue()[:700])
    write_bomb(photos / "bomb.png")
    (photos / ".hidden.png").write_bytes(b"x")
    (photos / "__MACOSX").mkdir()
    (photos / "__MACOSX" / "x.png").write_bytes(b"x")
    report = build(photos, tmp_path / "s.zip")
    reasons = dict(report.skipped)
    assert report.count == 4 and set(reasons) == {"empty.jpg", "notes.txt", "half.png", "half.jpg", "bomb.png"}
    assert reasons["empty.jpg"] == "empty file" and reasons["notes.txt"] == "not a picture"
    assert "bomb" in reasons["bomb.png"] and "damaged" in reasons["half.png"] and "damaged" in reasons["half.jpg"]
    with pytest.raises(DataError, match=r"bomb\.png: too many pixels"):
        build(photos, tmp_path / "strict.zip", strict=True)
    assert not list(tmp_path.glob("strict*"))


def test_hostile_zip_members_are_only_listed(tmp_path: Path) -> None:
    picture = io.BytesIO()
    make_photo((8, 8)).save(picture, "PNG")
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../out.png", "/etc/abs.png", "a/../../b.png", "good/a.png", "__MACOSX/good/._a.png"):
            archive.writestr(name, picture.getvalue())
        archive.writestr(link, "/etc/passwd")
    before = sorted(tmp_path.parent.iterdir())
    report = build(tmp_path / "in.zip", tmp_path / "s.zip")
    assert report.count == 1
    assert {name for name, _ in report.skipped} == {"../out.png", "/etc/abs.png", "a/../../b.png", "link.png"}
    assert sorted(tmp_path.parent.iterdir()) == before and len(list(tmp_path.iterdir())) == 2


def test_damaged_zip_member_is_skipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            picture = io.BytesIO()
            make_photo((8, 8), len(name)).save(picture, "PNG")
            archive.writestr(name, picture.getvalue())
    data = bytearray((tmp_path / "in.zip").read_bytes())
    data[60] ^= 255
    (tmp_path / "in.zip").write_bytes(bytes(data))
    report = build(tmp_path / "in.zip", tmp_path / "s.zip")
    assert report.count == 1 and "CRC" in report.skipped[0].reason
    with open_source(tmp_path / "in.zip") as source:
        assert not is_finished(source)


def test_a_zip_whose_directory_lies_takes_no_more_memory_than_it_says(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2**26))
    data = bytearray((tmp_path / "in.zip").read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    (tmp_path / "in.zip").write_bytes(bytes(data))
    tracemalloc.start()
    try:
        with open_source(tmp_path / "in.zip") as source, pytest.raises(zipfile.BadZipFile, match="CRC"):
            source.read(source.entries[0])  # type: ignore[attr-defined]
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_folder_labels(tmp_path: Path) -> None:
    for number, name in enumerate(["dog/a", "cat/b", "dog/deep/c"]):
        file = tmp_path / "in" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        make_photo((8, 8), number).save(file)
    make_photo((8, 8)).save(tmp_path / "in" / "stray.png")
    (tmp_path / "in" / "docs").mkdir()
    (tmp_path / "in" / "docs" / "readme.txt").write_text("x")
    report = build(tmp_path / "in", tmp_path / "s.zip", labels="folders")
    assert report.class_names == ("cat", "dog") and len(report.skipped) == 2
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.labels.tolist() == [0, 1, 1] and dataset.class_names == ("cat", "dog")


def test_source_labels_are_kept(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        make_photo((8, 8)).save(tmp_path / "in" / f"{name}.png")
    labels = {"labels": [["a.png", [1, 0]], ["c.png", [1, 1]]], "class_names": ["x", "y"]}
    (tmp_path / "in" / "dataset.json").write_text(json.dumps(labels))
    report = build(tmp_path / "in", tmp_path / "s.zip")
    assert [name for name, _ in report.skipped] == ["b.png"]
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.labels.tolist() == [[1, 0], [1, 1]] and dataset.class_names == ("x", "y")


@pytest.mark.parametrize(("format", "channels"), [("webp", 3), ("jpg", 3), ("jpg", 1)])
def test_other_formats(photos: Path, tmp_path: Path, format: str, channels: int) -> None:
    build(photos, tmp_path / "s.zip", format=format, quality=90, channels=channels)
    with open_dataset(tmp_path / "s.zip") as dataset:
        dataset.ensure_pyramid()
        assert dataset.channels == channels and all(name.endswith(format) for name in dataset.names)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"resolution": 48}, "power of two"),
        ({"resolution": 2}, "power of two"),
        ({"channels": 2}, "must be 1"),
        ({"crop": (10, 0, 5, 5)}, "left < right"),
        ({"labels": "x.csv"}, "must be folders"),
        ({"limit": 0}, "at least 1"),
        ({"format": "bmp"}, "must be one of"),
        ({"quality": 90}, "png is lossless"),
        ({"format": "jpg", "quality": 101}, "between 1 and 100"),
        ({"format": "jpg", "channels": 4}, "cannot hold"),
        ({"format": "webp", "channels": 1}, "cannot hold"),
        ({"format": "webp", "channels": 4}, "cannot hold"),
        ({"resolution": 1024}, "4 of 4 files: smaller than 1024x1024"),
    ],
)
def test_impossible_wishes(photos: Path, tmp_path: Path, wish: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        build(photos, tmp_path / "s.zip", **wish)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["photos"]


def test_limit_takes_the_first_usable(photos: Path, tmp_path: Path) -> None:
    (photos / "a.png").write_bytes(b"")
    report = build(photos, tmp_path / "s.zip", limit=2)
    assert report.count == 2 and len(report.skipped) == 1


def test_a_run_s_own_sheets_are_no_pictures(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "models").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    Image.new("RGB", (8, 8)).save(run / "fakes000000000.png")
    with pytest.raises(DataError, match="a run"):
        build(run, tmp_path / "s.zip")
    assert not list(tmp_path.glob("s.zip*"))


def test_no_usable_picture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no usable picture"):
        build(tmp_path / "in", tmp_path / "s.zip")
    (tmp_path / "in" / "a.txt").write_text("x")
    with pytest.raises(DataError, match="no usable picture"):
        build(tmp_path / "in", tmp_path / "s.zip", resolution=8, channels=3)
    assert not list(tmp_path.glob("s.zip*"))


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_existing_set_is_replaced_only_when_told_to(photos: Path, tmp_path: Path, name: str) -> None:
    build(photos, tmp_path / name, resolution=16)
    with pytest.raises(DataError, match="--overwrite"):
        build(photos, tmp_path / name, resolution=8)
    build(photos, tmp_path / name, resolution=8, overwrite=True)
    assert open_dataset(tmp_path / name).resolution == 8
    assert sorted(item.name for item in tmp_path.iterdir()) == ["photos", name]
    with pytest.raises(DataError, match="own source"):
        build(photos, photos, overwrite=True)


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_full_disk_leaves_nothing_behind(
    photos: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DataError, match="No space left on device"):
        build(photos, tmp_path / name)
    assert [item.name for item in tmp_path.iterdir()] == ["photos"]


FULL = """
import resource, signal, sys
from growgan.core.errors import DataError
from growgan.data.build import build
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    build(sys.argv[1], sys.argv[2], resolution=16, channels=3)
except DataError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits on the size of files")
@pytest.mark.parametrize("limit", [10_000, 20_000, 80_000, 83_000])
def test_a_file_that_cannot_grow_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    """What is left in a buffer fails once more when the file is closed."""
    (tmp_path / "in").mkdir()
    random = np.random.RandomState(0)
    for n in range(100):
        Image.fromarray(random.randint(0, 256, (16, 16, 3)).astype(np.uint8)).save(tmp_path / "in" / f"{n}.png")
    command = [sys.executable, "-c", FULL, str(tmp_path / "in"), str(tmp_path / "s.zip"), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and done.stderr.endswith("s.zip: cannot be written (File too large)\n"), done.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["in"]


@pytest.mark.skipif(os.name != "posix", reason="file locks")
def test_leavings_of_killed_builds_are_removed_but_not_those_of_living_ones(photos: Path, tmp_path: Path) -> None:
    dead, just_killed, living = (name_partial(tmp_path / "s.zip") for _ in range(3))
    theirs = tmp_path / "s.zip.partial-backup"
    for file in (dead, just_killed, living, theirs):
        file.write_bytes(b"x")
    for file in (dead, theirs):
        os.utime(file, (10**9, 10**9))
    hold = Hold(living)
    time.sleep(0.05)  # files may bear the time of the system's last tick
    build(photos, tmp_path / "s.zip")
    assert sorted(tmp_path.iterdir()) == sorted([photos, tmp_path / "s.zip", living, theirs])
    hold.release()


@pytest.mark.parametrize("name", ["folder", "file.zip"])
def test_overwrite_replaces_sets_alone(tmp_path: Path, name: str) -> None:
    source = save_pictures(tmp_path / "source", 3)
    out = tmp_path / name
    build(source, out, resolution=8)
    build(source, out, resolution=4, overwrite=True)
    if name == "folder":
        (out / "diary.txt").write_text("mine")
    else:
        out.write_text("mine")
    with pytest.raises(DataError, match="not a dataset built"):
        build(source, out, resolution=8, overwrite=True)
    assert "mine" in ((out / "diary.txt") if name == "folder" else out).read_text()


def test_a_set_is_not_built_over_around_or_inside_its_source(tmp_path: Path) -> None:
    source = save_pictures(tmp_path / "photos" / "sub", 3)
    for out in (source, source.parent, tmp_path, source / "set", source / "set.zip"):
        with pytest.raises(DataError, match="over, around or inside its own source"):
            build(source, out, resolution=8, overwrite=True)
    assert len(list(source.iterdir())) == 3


def test_a_set_of_fitting_pictures_takes_their_space_and_its_pyramid_a_quarter_megabyte_each(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(3):
        noise = np.random.RandomState(seed).randint(0, 256, (64, 64, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((1024, 1024)).save(tmp_path / "in" / f"{seed}.jpg", quality=90)
    own = sum(file.stat().st_size for file in (tmp_path / "in").iterdir())
    report = build(tmp_path / "in", tmp_path / "s.zip")
    assert report.copied == 3 and report.size_bytes <= 1.05 * own
    with open_dataset(tmp_path / "s.zip") as dataset:
        pyramid = sum(file.stat().st_size for file in dataset.ensure_pyramid().iterdir())
    assert pyramid / 3 <= 0.27e6


def test_a_long_picture_is_padded_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200_000)
    (tmp_path / "in").mkdir()
    picture = Image.new("RGB", (900, 120), "red")
    picture.paste("blue", (450, 0, 900, 120))
    picture.save(tmp_path / "in" / "long.png")
    sizes = []
    pad = transform.pad_to_square

    def watching(image: Image.Image, how: str) -> Image.Image:
        sizes.append(max(image.size))
        return pad(image, how)

    monkeypatch.setattr(transform, "pad_to_square", watching)
    build(tmp_path / "in", tmp_path / "s.zip", resolution=16, pad="black")
    assert sizes == [65]  # a fourteenth
    with open_dataset(tmp_path / "s.zip") as dataset:
        pixels = dataset.read(0)
    assert pixels[:, 0].max() == 0 and pixels[0, 8, 2] > 150 > pixels[2, 8, 2] and pixels[2, 8, 13] > 150


def test_a_limit_counts_pictures_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "00readme.txt").write_text("hello")
    for n, mode in enumerate(["L", "L", "RGB", "RGB"]):
        Image.new(mode, (8, 8), n).save(tmp_path / "in" / f"{n}.png")
    assert build(tmp_path / "in", tmp_path / "one.zip", limit=1).count == 1
    (tmp_path / "l.csv").write_text("name,class\n2.png,a\n3.png,b\n")
    report = build(tmp_path / "in", tmp_path / "two.zip", limit=2, labels=str(tmp_path / "l.csv"))
    assert (report.count, report.channels) == (2, 3)


@pytest.mark.parametrize("sidecar", ["[1]", "[" * 100_000])
def test_labels_that_are_not_wanted_are_not_looked_at(tmp_path: Path, sidecar: str) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "x.png")
    (tmp_path / "in" / "dataset.json").write_text(sidecar)
    with pytest.raises(DataError, match=r"dataset.json"):
        build(tmp_path / "in", tmp_path / "s.zip")
    assert build(tmp_path / "in", tmp_path / "s.zip", labels="none").count == 1


def test_a_crop_without_an_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be left, top, right, bottom"):
        build(tmp_path, tmp_path / "s.zip", crop=(0, 0, float("inf"), float("inf")))


def test_a_dataset_is_no_tar(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"out\.tar: a dataset is written as NAME\.zip or a folder"):
        build(photos, tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()
