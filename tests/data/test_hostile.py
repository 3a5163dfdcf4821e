"""Broken and hostile input is named and left out, or refused as a whole; nothing half-made looks whole."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data.making_sets import cifar_files, encode, make_pixels, slow_build, write_tar

from growgan.core.errors import DataError
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.data.partial import UNLOCKED_SECONDS
from growgan.data.pickles import load_plain
from growgan.data.sources import open_source

PIXELS = make_pixels(4, 8)


def test_hostile_tar_members_are_only_listed(tmp_path: Path) -> None:
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../out.png", "/etc/abs.png", "a/../../b.png", "good.png", "good.png", "C:\\x.png"):
            member = tarfile.TarInfo(name)
            data = encode(PIXELS[0])
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("f.png", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    report = build(path, tmp_path / "s.zip")
    assert report.count == 1
    reasons = [reason for _, reason in report.skipped]
    assert reasons.count("name points outside the archive") == 4 and reasons.count("link") == 2
    assert reasons.count("twice in the archive") == 1 and reasons.count("not a regular file") == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in.tar", "s.zip"]
    with pytest.raises(DataError, match="points outside"):
        build(path, tmp_path / "strict.zip", strict=True)


def test_names_with_a_time_of_day_are_no_drives(tmp_path: Path) -> None:
    names = ["2024-05-01 12:30:00.png", "12:30/x.png", "C:/x.png", "c:x.png"]
    write_tar(tmp_path / "in.tar", {name: encode(PIXELS[n]) for n, name in enumerate(names)})
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for n, name in enumerate(names):
            archive.writestr(name, encode(PIXELS[n]))
    for source in ("in.tar", "in.zip"):
        report = build(tmp_path / source, tmp_path / "s.zip", overwrite=True)
        assert report.count == 2 and {name for name, _ in report.skipped} == set(names[2:])


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("cut", [0.01, 0.4, 0.7, "boundary"])
def test_a_cut_off_tar_is_refused(tmp_path: Path, mode: str, cut: float | str) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (4, 3, 64, 64)).astype(np.uint8)
    path = write_tar(tmp_path / "in.tar", {f"{n}.png": encode(pixels) for n, pixels in enumerate(noise)}, mode)
    data = path.read_bytes()
    if cut == "boundary":
        plain = gzip.decompress(data) if mode == "w:gz" else data
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            whole = archive.getmembers()[2].offset
        data = gzip.compress(plain[:whole]) if mode == "w:gz" else plain[:whole]
    else:
        data = data[: int(len(data) * float(cut))]
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged or truncated|not a readable tar") as caught:
        build(path, tmp_path / "s.zip", resolution=64, channels=3)
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["in.tar"]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_cut_off_zip_is_refused(tmp_path: Path, share: float) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode(PIXELS[0]))
    build(tmp_path / "in", tmp_path / "whole.zip")
    data = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match="not a readable zip"):
        build(tmp_path / "cut.zip", tmp_path / "s.zip")


def test_odd_names_survive(tmp_path: Path) -> None:
    names = ["with space.png", 'it\'s "quoted".png', "日本語 é.png", "new\nline.png", "no-suffix", "wrong.gif"]
    names += [os.fsdecode(b"latin-\xe9.png")] if sys.platform == "linux" else []
    (tmp_path / "in").mkdir()
    for n, name in enumerate(names):
        (tmp_path / "in" / name).write_bytes(encode(make_pixels(1, 8, seed=n)[0]))
    report = build(tmp_path / "in", tmp_path / "s.zip")
    assert report.count == len(names) and report.skipped == []
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert set(dataset.sources) >= {"with space.png", 'it\'s "quoted".png', "日本語 é.png", "new\nline.png"}
        assert dataset.names[0].endswith(".png")
    for name in names:
        (tmp_path / "in" / name).write_bytes(b"x")
    with pytest.raises(DataError, match="no usable picture"):
        build(tmp_path / "in", tmp_path / "t.zip")


def test_what_is_printed_does_nothing_to_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from growgan.cli.main import main

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.png").write_bytes(encode(PIXELS[0]))
    (tmp_path / "in" / "\x1b[31mred\r.png").write_bytes(b"")
    if sys.platform == "linux":
        (tmp_path / "in" / os.fsdecode(b"\xff.png")).write_bytes(b"")
    assert main(["data", "build", str(tmp_path / "in"), str(tmp_path / "s.zip")]) == 0
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\r" not in said and r"skipped \x1b[31mred\r.png: empty file" in said


def test_equal_pictures_are_counted_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n, index in enumerate([0, 1, 0, 1, 2]):
        (tmp_path / "in" / f"{n}.png").write_bytes(encode(PIXELS[index]))
    (tmp_path / "in" / "5.bmp").write_bytes(encode(PIXELS[3], "BMP"))
    (tmp_path / "in" / "6.tif").write_bytes(encode(PIXELS[3], "TIFF"))
    report = build(tmp_path / "in", tmp_path / "a.zip")
    assert (report.count, report.equal) == (7, 3)
    report = build(tmp_path / "in", tmp_path / "b.zip", unique=True)
    assert report.count == 4
    assert report.skipped == [("2.png", "equal to 0.png"), ("3.png", "equal to 1.png"), ("6.tif", "equal to 5.bmp")]


class Trap:
    """What a hostile pickle may hold."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call  # type: ignore[return-value]


@pytest.mark.parametrize(
    "trap",
    [
        Trap(os.system, "touch trapped"),
        Trap(eval, "open('trapped', 'w')"),
        Trap(getattr, "x", "upper"),
        Trap(np.fromfile, "/etc/passwd"),
    ],
)
def test_pickles_run_nothing(tmp_path: Path, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(5):
        with pytest.raises(DataError, match=r"refers to .*, which plain data never needs|not a readable pickle"):
            load_plain(pickle.dumps({"data": trap}, protocol), "batch")
    assert list(tmp_path.iterdir()) == []


def test_pickles_of_odd_arrays_are_refused() -> None:
    good = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(load_plain(pickle.dumps([good], 2), "b")[0], good)
    assert np.array_equal(load_plain(pickle.dumps([np.asfortranarray(good)], 2), "b")[0], good)
    assert np.array_equal(load_plain(pickle.dumps([good.astype(">i4")], 2), "b")[0], good)
    for odd in (np.array([object()]), np.array(["x"]), np.zeros(3, "c16")):
        with pytest.raises(DataError):
            load_plain(pickle.dumps([odd], 2), "b")
    for damaged in (b"", b"\x80\x02", pickle.dumps([good], 2)[:-5], b"garbage"):
        with pytest.raises(DataError, match="not a readable pickle"):
            load_plain(damaged, "b")
    assert load_plain(b"(dp0\nS'data'\np1\nS'\\xff\\x00'\np2\ns.", "b") == {"data": "\xff\0"}  # of Python 2
    tracemalloc.start()
    try:
        assert load_plain(b"\x80\x02Nr\x00\x00\x00\x02.", "b") is None  # which says that it remembers 2^25 values
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    with pytest.raises(DataError, match="holds a set"):
        load_plain(pickle.dumps({1, 2}, 4), "b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_2", None, "data_batch_2 is missing"),
        ("data_batch_1", {b"data": np.zeros((1, 3), np.uint8), b"labels": [0]}, "does not hold 32x32 pictures with"),
        ("data_batch_1", {b"data": np.zeros((1, 3072), np.uint8), b"labels": [11]}, "labels outside 0 to 9"),
        ("data_batch_1", {b"labels": [11]}, "a batch without data"),
        ("batches.meta", [1], "a batch without label_names"),
    ],
)
def test_damaged_cifar(tmp_path: Path, name: str, content: object, message: str) -> None:
    for file, data in cifar_files(make_pixels(5), [0, 1, 2, 3, 4]).items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / name).write_bytes(pickle.dumps(content, 2)) if content else (tmp_path / name).unlink()
    with pytest.raises(DataError, match=message):
        open_source(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_a_killed_build_starts_over(tmp_path: Path, name: str) -> None:
    with subprocess.Popen(slow_build(tmp_path / "in", tmp_path / name)) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(f"{name}.partial-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        (partial,) = tmp_path.glob(f"{name}.partial-*")
        # One that is being written is left alone, however long ago its last byte was.
        old = time.time() - 2 * UNLOCKED_SECONDS
        for part in (partial, *partial.rglob("*")) if partial.is_dir() else [partial]:
            os.utime(part, (old, old))
        build(tmp_path / "in", tmp_path / f"other-{name}", resolution=8, channels=3)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / name).exists() and partial.exists()
    for part in (partial, *partial.rglob("*")) if partial.is_dir() else [partial]:
        os.utime(part, (old, old))
    assert build(tmp_path / "in", tmp_path / name, resolution=8, channels=3).count == 400
    assert not partial.exists()
    if name.endswith(".zip"):
        assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="file locks")
def test_a_living_build_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    from growgan.data.partial import Hold, name_partial, remove_abandoned

    partial = name_partial(tmp_path / "s.zip")
    partial.write_bytes(b"x")
    hold = Hold(partial)
    os.utime(partial, (time.time() - 60,) * 2)
    remove_abandoned(tmp_path / "s.zip")
    assert partial.exists()
    hold.release()
    remove_abandoned(tmp_path / "s.zip")
    assert not partial.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_links_in_a_folder_are_followed_and_what_is_no_file_is_listed(tmp_path: Path) -> None:
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for folder in (photos, elsewhere):
        folder.mkdir()
    (elsewhere / "a.png").write_bytes(encode(make_pixels(1)[0]))
    (photos / "linked").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(photos)
    (photos / "nowhere.png").symlink_to(tmp_path / "missing.png")
    os.mkfifo(photos / "pipe.png")
    report = build(photos, tmp_path / "s.zip")
    assert report.count == 1
    assert dict(report.skipped) == {"nowhere.png": "broken link", "pipe.png": "not a regular file"}
    with pytest.raises(DataError, match=r"not a regular file|broken link"):
        build(photos, tmp_path / "t.zip", strict=True)


@pytest.mark.skipif(os.name != "posix", reason="links and permissions")
def test_folders_and_links_that_cannot_be_read_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in" / "closed").mkdir(parents=True)
    (tmp_path / "in" / "good.png").write_bytes(encode(make_pixels(1, 8)[0]))
    (tmp_path / "in" / "self").symlink_to("self")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":  # root may read all
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = build(tmp_path / "in", tmp_path / "s.zip")
    assert report.count == 1 and len(report.skipped) == 2
    reasons = dict(report.skipped)
    assert reasons["closed"] == "folder cannot be read (Permission denied)"
    assert reasons["self"].startswith("cannot be read (")
    with pytest.raises(DataError, match=r"closed: cannot be read \(Permission denied\)"):
        build(tmp_path / "in" / "closed", tmp_path / "t.zip", kind="folder")


def test_pickles_do_not_make_more_of_a_text_than_it_is() -> None:
    assert load_plain(pickle.dumps([b"\xff" * 1000, b"a" * 1000], 2), "b") == ["\xff" * 1000, "a" * 1000]
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000
    call = b"h\x01h\x02\x85R"
    many = b"\x80\x02(c_codecs\nencode\nq\x01" + text + b"q\x02" + call * 1000 + b"l."
    with pytest.raises(DataError, match="creates more bytes than it holds"):
        load_plain(many, "b")


def nested(depth: int, kind: type = tuple) -> object:
    """A value that refers twice to one that refers twice to another ...: tiny in a file, 2^depth when written out."""
    value: object = kind(["a", "a"])
    for _ in range(depth):
        value = kind([value, value])
    return value


@pytest.mark.parametrize("content", [{"label_names": nested(60, list)}, {nested(9): 1}, {"x": {nested(9)}}, nested(60)])
def test_pickles_that_unfold_without_end(content: object) -> None:
    for protocol in (2, 4):
        data = pickle.dumps(content, protocol)
        with pytest.raises(DataError, match=r"unfolds to far more|neither texts nor numbers|refers to .*set"):
            load_plain(data, "b")
    dtype = pickle.dumps(np.zeros(2), 2)
    odd = dtype.replace(b"X\x02\x00\x00\x00f8", b"X\x01\x00\x00\x00a" + b"q\x63h\x63\x86" * 60)
    assert odd != dtype
    with pytest.raises(DataError, match="an array of a tuple"):
        load_plain(odd, "b")


def test_pickles_make_an_array_once_however_often_it_is_named() -> None:
    array = np.arange(1000, dtype=np.uint8)
    found = load_plain(pickle.dumps([array] * 5, 2), "b")
    assert len({id(one) for one in found}) == 1 and np.array_equal(found[4], array)


def test_zips_of_kinds_that_nobody_reads(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("x.png", encode(make_pixels(1, 8)[0]))
    good = (tmp_path / "x.zip").read_bytes()
    directory = good.index(b"PK\x01\x02")
    newer = good[: directory + 6] + b"\x63" + good[directory + 7 :]
    wrong = (
        good[: directory + 8] + b"\x00\x08" + good[directory + 10 : directory + 46] + b"\xff" + good[directory + 47 :]
    )
    for name, data in (("newer", newer), ("wrong", wrong)):
        (tmp_path / f"{name}.zip").write_bytes(data)
        with pytest.raises(DataError, match="not a readable zip"):
            build(tmp_path / f"{name}.zip", tmp_path / "s.zip")
