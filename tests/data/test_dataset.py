"""Finished sets: what they say, what they refuse, and what the pyramid holds."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.core.errors import DataError
from growgan.core.progress import Silent
from growgan.data import dataset as dataset_module
from growgan.data import pyramid
from growgan.data.build import build
from growgan.data.dataset import open_dataset


def make_pixels(count: int, size: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (count, channels, size, size)).astype(np.uint8)


def write_set(folder: Path, pixels: np.ndarray, labels: object = None, class_names: tuple[str, ...] = ()) -> Path:
    (folder / "00000").mkdir(parents=True)
    names = [f"00000/img{index:08d}.png" for index in range(len(pixels))]
    for name, picture in zip(names, pixels):
        Image.fromarray(picture.transpose(1, 2, 0).squeeze()).save(folder / name)
    rows = None if labels is None else [[name, label] for name, label in zip(names, labels)]
    (folder / "dataset.json").write_text(json.dumps({"labels": rows, "class_names": class_names}))
    return folder


def zip_folder(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_set_reads_back(tmp_path: Path, channels: int, kind: str) -> None:
    pixels = make_pixels(5, 16, channels)
    path = write_set(tmp_path / "set", pixels, [0, 1, 1, 0, 2], ("a", "b", "c"))
    if kind == "zip":
        path = zip_folder(path, tmp_path / "set.zip")
    with open_dataset(path) as dataset:
        assert (len(dataset), dataset.resolution, dataset.channels, dataset.num_labels) == (5, 16, channels, 3)
        assert dataset.labels.dtype == np.int64 and dataset.labels.tolist() == [0, 1, 1, 0, 2]
        assert dataset.class_names == ("a", "b", "c") and not dataset.multi_label
        assert np.array_equal(dataset.images([3, 0, 3]), pixels[[3, 0, 3]])
        assert dataset.images([], 8).shape == (0, channels, 8, 8)
        assert np.array_equal(dataset.read(2), pixels[2])
    assert (tmp_path / f"{path.name}.pyramid" / "4x4.u8").stat().st_size == 5 * channels * 16


def test_levels_are_means_of_unrounded_means(tmp_path: Path) -> None:
    pixels = make_pixels(3, 32)
    with open_dataset(write_set(tmp_path / "set", pixels)) as dataset:
        for size in (16, 8, 4):
            block = 32 // size
            exact = pixels.reshape(3, 3, size, block, size, block).astype(np.float64).mean(axis=(3, 5))
            assert np.array_equal(dataset.images([0, 1, 2], size), np.rint(exact))


def test_levels_above_256_are_decoded(tmp_path: Path) -> None:
    pixels = make_pixels(2, 1024, 1)
    with open_dataset(write_set(tmp_path / "set", pixels)) as dataset:
        assert np.array_equal(dataset.images([1], 1024), pixels[[1]])
        halves = pixels.reshape(2, 1, 512, 2, 512, 2).mean(axis=(3, 5))
        assert np.array_equal(dataset.images([1, 0], 512), np.rint(halves[[1, 0]]))
        quarters = pixels.reshape(2, 1, 256, 4, 256, 4).mean(axis=(3, 5))
        assert np.array_equal(dataset.images([1, 0], 256), np.rint(quarters[[1, 0]]))
        files = sorted(item.name for item in (tmp_path / "set.pyramid").glob("*.u8"))
        assert files == sorted(f"{2**k}x{2**k}.u8" for k in range(2, 9))


@pytest.mark.parametrize("size", [4, 256, 512, 1024])
def test_all_pictures_come_in_their_order_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(dataset_module, "CHUNK_BYTES", 2 * 1024**2 if size > 256 else 2 * size**2)
    bars: list[Silent] = []

    def progress(total: int | None, what: str) -> Silent:
        bars.append(Silent(total, what))
        return bars[-1]

    with open_dataset(write_set(tmp_path / "set", make_pixels(3, 1024, 1))) as dataset:
        dataset.ensure_pyramid()
        chunks = list(dataset.chunks(size, progress))
        assert [len(chunk) for chunk in chunks] == [2, 1] and all(chunk.flags.writeable for chunk in chunks)
        assert np.array_equal(np.concatenate(chunks), dataset.images([0, 1, 2], size))
        assert [(bar.done, bar.total) for bar in bars] == [(3, 3)]


def test_impossible_resolutions(tmp_path: Path) -> None:
    with open_dataset(write_set(tmp_path / "set", make_pixels(1, 8))) as dataset:
        for resolution in (16, 6, 2, 0):
            with pytest.raises(DataError, match="cannot be read at"):
                dataset.images([0], resolution)


def test_one_hot_rows_are_classes_and_others_are_not(tmp_path: Path) -> None:
    pixels = make_pixels(2, 4)
    with open_dataset(write_set(tmp_path / "a", pixels, [[0, 1, 0], [1.0, 0, 0]])) as dataset:
        assert dataset.labels.tolist() == [1, 0] and dataset.num_labels == 3 and not dataset.multi_label
    with open_dataset(write_set(tmp_path / "b", pixels, [[1, 1, 0], [0, 0, 0]])) as dataset:
        assert dataset.labels.dtype == np.float32 and dataset.labels.shape == (2, 3)
        assert dataset.num_labels == 3 and dataset.multi_label


def test_no_labels(tmp_path: Path) -> None:
    with open_dataset(write_set(tmp_path / "set", make_pixels(2, 4))) as dataset:
        assert dataset.labels is None and dataset.num_labels == 0 and dataset.class_names == ()


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('{"labels": 3}', "labels must be null or a list"),
        ('{"labels": [["00000/img00000000.png", -1]]}', "is not \\[name"),
        ('{"labels": [["00000/img00000000.png", NaN]]}', "is not \\[name"),
        ('{"labels": [["00000/img00000000.png", true]]}', "is not \\[name"),
        ('{"labels": [["00000/img00000000.png", [NaN]]]}', "is not \\[name"),
        ('{"labels": [["x.png", 1]]}', "names x.png, which is not in the dataset"),
        ('{"labels": [["00000/img00000000.png", 1]]}', "no label for 00000/img00000001.png"),
        ('{"labels": [["00000/img00000000.png", 1], ["00000/img00000000.png", 1]]}', "twice"),
        ('{"labels": [["00000/img00000000.png", 1], ["00000/img00000001.png", [1]]]}', "all be integers"),
        (
            '{"labels": [["00000/img00000000.png", 1], ["00000/img00000001.png", 2]], "class_names": ["a"]}',
            "1 class_names but 3 classes",
        ),
        ('{"labels": null, "class_names": [1]}', "list of names"),
    ],
)
def test_broken_sidecar(tmp_path: Path, sidecar: str, message: str) -> None:
    path = write_set(tmp_path / "set", make_pixels(2, 4))
    (path / "dataset.json").write_text(sidecar)
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)


def test_a_labelled_folder_from_which_a_picture_was_taken_can_be_built_anew(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", make_pixels(3, 4), [0, 1, 1])
    (path / "00000" / "img00000001.png").unlink()
    with pytest.raises(
        DataError, match=r"names 00000/img00000001\.png, which is not in the dataset; `growgan data build`"
    ):
        open_dataset(path)
    build(path, tmp_path / "s.zip")
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.labels is not None and dataset.labels.tolist() == [0, 1]


def test_refused_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_dataset(tmp_path / "absent.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture"):
        open_dataset(tmp_path / "empty")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_dataset(tmp_path / "text.txt")
    (tmp_path / "false.zip").write_text("hello")
    with pytest.raises(DataError, match="not a readable zip"):
        open_dataset(tmp_path / "false.zip")


@pytest.mark.parametrize("size", [(16, 8), (12, 12), (2, 2)])
def test_refused_shapes(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "set").mkdir()
    Image.new("RGB", size).save(tmp_path / "set" / "a.png")
    with pytest.raises(DataError, match=r"a\.png is \d+x\d+, not a square"):
        open_dataset(tmp_path / "set")


def test_mixed_sizes_and_broken_pictures_are_named(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", make_pixels(3, 8))
    Image.new("RGB", (16, 16)).save(path / "00000" / "img00000001.png")
    with (
        open_dataset(path) as dataset,
        pytest.raises(DataError, match=r"img00000001.png is 16x16, but the dataset is 8x8"),
    ):
        dataset.ensure_pyramid()
    file = path / "00000" / "img00000001.png"
    file.write_bytes((path / "00000" / "img00000002.png").read_bytes()[:90])
    with open_dataset(path) as dataset, pytest.raises(DataError, match=r"img00000001.png damaged"):
        dataset.images([0])
    assert list(tmp_path.glob("*pyramid*")) == []


def test_colour_in_a_grey_set_is_refused_but_grey_in_colour_is_not(tmp_path: Path) -> None:
    path = write_set(tmp_path / "grey", make_pixels(2, 8, 1))
    Image.new("RGB", (8, 8)).save(path / "00000" / "img00000001.png")
    with open_dataset(path) as dataset, pytest.raises(DataError, match="is RGB, but the dataset is L"):
        dataset.ensure_pyramid()
    path = write_set(tmp_path / "colour", make_pixels(2, 8, 3))
    Image.new("L", (8, 8), 7).save(path / "00000" / "img00000001.png")
    with open_dataset(path) as dataset:
        assert (dataset.images([1]) == 7).all()


def test_content_hash_follows_pictures_and_labels(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", make_pixels(2, 8), [0, 1])
    hashes = [open_dataset(folder).content_hash, open_dataset(zip_folder(folder, tmp_path / "a.zip")).content_hash]
    assert hashes[1] == open_dataset(zip_folder(folder, tmp_path / "b.zip")).content_hash
    os.utime(folder / "00000" / "img00000000.png", (10**9, 10**9))
    hashes.append(open_dataset(folder).content_hash)
    (folder / "dataset.json").write_text('{"labels": null}')
    hashes.append(open_dataset(folder).content_hash)
    hashes.append(open_dataset(zip_folder(folder, tmp_path / "c.zip")).content_hash)
    assert len(set(hashes)) == 5


def test_a_folder_rebuilt_with_equal_file_sizes_gets_another_hash_and_pyramid(tmp_path: Path) -> None:
    for name, colour in (("red", (200, 30, 60)), ("blue", (60, 30, 200))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (16, 16), colour).save(tmp_path / name / "a.png")
        build(tmp_path / name, tmp_path / "set", resolution=16, overwrite=True)
        with open_dataset(tmp_path / "set") as dataset:
            assert tuple(dataset.images([0])[0, :, 0, 0]) == colour
    sizes = {(tmp_path / name / "a.png").stat().st_size for name in ("red", "blue")}
    assert len(sizes) == 1


def test_an_open_folder_is_not_read_after_it_changed(tmp_path: Path) -> None:
    for name, colour in (("red", (200, 30, 60)), ("blue", (60, 30, 200))):
        (tmp_path / name).mkdir()
        for n in range(2):
            Image.new("RGB", (512, 512), colour).save(tmp_path / name / f"{n}.png")
    build(tmp_path / "red", tmp_path / "set")
    with open_dataset(tmp_path / "set") as dataset:
        assert dataset.images([0], 512)[0, 0, 0, 0] == 200
        build(tmp_path / "blue", tmp_path / "set", overwrite=True)
        for read in (lambda: dataset.images([1], 512), lambda: dataset.read(0), dataset.ensure_pyramid):
            with pytest.raises(DataError, match=r"img0000000\d\.png: changed since it was opened"):
                read()


def test_a_built_folder_can_be_zipped_in_every_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for n in range(20):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(tmp_path / "in" / f"{n}.png")
    build(tmp_path / "in", tmp_path / "set")
    times = [file.stat().st_mtime for file in (tmp_path / "set" / "00000").iterdir()]
    assert all(seconds % 2 == 0 for seconds in times)  # so that archives and other file systems keep them
    monkeypatch.setenv("TZ", "Etc/GMT+12")
    try:
        if hasattr(time, "tzset"):
            time.tzset()
        zip_folder(tmp_path / "set", tmp_path / "set.zip")
        with zipfile.ZipFile(tmp_path / "set.zip") as archive:
            assert all(member.date_time[0] >= 1980 for member in archive.infolist())
    finally:
        monkeypatch.undo()
        if hasattr(time, "tzset"):
            time.tzset()


def test_pyramid_is_reused_and_rebuilt_on_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_folder(write_set(tmp_path / "set", make_pixels(2, 8)), tmp_path / "set.zip")
    with open_dataset(path) as dataset:
        assert not dataset.has_pyramid()
        assert dataset.ensure_pyramid() == tmp_path / "set.zip.pyramid"
        assert dataset.has_pyramid()
    with monkeypatch.context() as patch:
        patch.setattr(pyramid, "write_levels", None)
        with open_dataset(path) as dataset:
            dataset.ensure_pyramid()
    changed = make_pixels(2, 8, seed=1)
    zip_folder(write_set(tmp_path / "other", changed), path)
    with open_dataset(path) as dataset:
        assert np.array_equal(dataset.images([0, 1]), changed)
    (tmp_path / "set.zip.pyramid" / "4x4.u8").write_bytes(b"short")
    with open_dataset(path) as dataset:
        assert dataset.images([1], 4).shape == (1, 3, 4, 4)
    assert sorted(item.name for item in tmp_path.glob("set.zip*")) == ["set.zip", "set.zip.pyramid"]


def test_read_only_place_uses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "cache"))
    path = write_set(tmp_path / "set", make_pixels(2, 8))
    mkdir = Path.mkdir

    def refuse_beside(self: Path, *args: object, **kwargs: object) -> None:
        if self.parent == tmp_path and "pyramid" in self.name:
            raise PermissionError(13, "Permission denied")
        mkdir(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", refuse_beside)
    with open_dataset(path) as dataset:
        assert dataset.ensure_pyramid().parent == tmp_path / "cache" / "pyramids"
    with open_dataset(path) as dataset:
        assert dataset.has_pyramid()


def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fileno: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    message = r"set\.pyramid: cannot be written \(No space left on device\)"
    with (
        open_dataset(write_set(tmp_path / "set", make_pixels(2, 8))) as dataset,
        pytest.raises(DataError, match=message),
    ):
        dataset.ensure_pyramid()
    assert [item.name for item in tmp_path.iterdir()] == ["set"]


def test_a_pyramid_that_cannot_fit_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "cache"))
    path = write_set(tmp_path / "set", make_pixels(2, 8))
    needed = 2 * 3 * (8**2 + 4**2)
    free = dict.fromkeys((tmp_path, tmp_path / "cache" / "pyramids"), needed // 2)

    def measure(folder: Path) -> Any:
        if folder not in free:
            raise OSError(38, "Function not implemented")
        return SimpleNamespace(free=free[folder])

    monkeypatch.setattr(shutil, "disk_usage", measure)
    with open_dataset(path) as dataset:
        monkeypatch.setattr(dataset, "_decode", None)  # no picture is read
        with pytest.raises(DataError, match=r"takes 0\.00 GB; .* has 0\.00 GB free; .* GB free; .*GROWGAN_CACHE"):
            dataset.ensure_pyramid()
    assert not list(tmp_path.rglob("*partial*"))
    free[tmp_path / "cache" / "pyramids"] = needed
    with open_dataset(path) as dataset:
        assert dataset.ensure_pyramid().parent == tmp_path / "cache" / "pyramids"
    free.clear()
    with open_dataset(write_set(tmp_path / "other", make_pixels(2, 8))) as dataset:
        assert dataset.ensure_pyramid().parent == tmp_path


def test_what_a_killed_build_left_is_removed_before_space_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_set(tmp_path / "set", make_pixels(2, 8))
    left = tmp_path / "set.pyramid.partial-0123456789ab"
    left.mkdir()
    (left / "8x8.u8").write_bytes(bytes(99))
    for made in (left / "8x8.u8", left):
        os.utime(made, (0, 0))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0 if left.exists() else 10**9))
    with open_dataset(path) as dataset:
        assert dataset.ensure_pyramid().parent == tmp_path
    assert not left.exists()


def test_many_threads_and_two_builders_at_once(tmp_path: Path) -> None:
    pixels = make_pixels(40, 16)
    path = zip_folder(write_set(tmp_path / "set", pixels), tmp_path / "set.zip")
    datasets = [open_dataset(path), open_dataset(path)]
    wrong: list[int] = []

    def check(number: int) -> None:
        rows = np.random.RandomState(number).randint(0, 40, 8)
        if not np.array_equal(datasets[number % 2].images(rows), pixels[rows]):
            wrong.append(number)
        if not np.array_equal(datasets[number % 2].read(rows[0]), pixels[rows[0]]):
            wrong.append(number)

    threads = [threading.Thread(target=check, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for dataset in datasets:
        dataset.close()
    assert wrong == []
    assert sorted(item.name for item in tmp_path.iterdir()) == ["set", "set.zip", "set.zip.pyramid"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    for n in range(3):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(tmp_path / f"{n}.png")
    (tmp_path / "0.png").rename(tmp_path / os.fsdecode(b"\xff.png"))
    with open_dataset(tmp_path) as dataset:
        assert dataset.fingerprint()["pictures"] == 3
