"""What training is given: finished sets as they are, anything else made into a set once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from data.making_sets import make_pixels, write_mnist
from PIL import Image

from growgan.core.errors import DataError
from growgan.data import prepare as module
from growgan.data.build import build
from growgan.data.dataset import HEAD_BYTES
from growgan.data.prepare import MANY, list_skipped, prepare
from growgan.data.sources import Entry, Skipped
from growgan.data.sources.folder import FolderSource


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, size in enumerate([(40, 40), (50, 64), (33, 32)]):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"p{number}.png")
    return folder


def test_pictures_are_built_once(photos: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(13):
        (photos / f"broken{number:02d}.png").write_bytes(b"")
    said: list[str] = []
    with prepare(photos, resolution=16, say=said.append) as dataset:
        assert (len(dataset), dataset.resolution, dataset.path.parent) == (3, 16, cache / "sets")
        assert dataset.has_pyramid()
    assert len(said) == 12 and "centre square" in said[0] and said[-1] == "skipped 3 more"
    with monkeypatch.context() as patch:
        patch.setattr(module, "build", None)
        prepare(photos, resolution=16, say=said.append).close()
    assert len(said) == 12
    Image.new("RGB", (64, 64)).save(photos / "new.png")
    with prepare(photos, resolution=16, say=said.append) as dataset:
        assert len(dataset) == 4


def test_pictures_that_are_a_set_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a dataset.json only their heads tell, and once there is a pyramid only the first one's."""
    (tmp_path / "in").mkdir()
    pixels = np.random.RandomState(0).randint(0, 256, (6, 256, 256, 3)).astype(np.uint8)
    for n, suffix in enumerate(["jpg", "jpg", "png", "jpg", "jpg", "jpg"]):
        Image.fromarray(pixels[n]).save(tmp_path / "in" / f"{n}.{suffix}", quality=98, subsampling=0)
    size = sum(file.stat().st_size for file in (tmp_path / "in").iterdir())
    taken: list[int] = []
    read = FolderSource.read

    def watch(self: FolderSource, entry: Entry, size: int = -1) -> bytes:
        data = read(self, entry, size)
        taken.append(len(data))
        return data

    monkeypatch.setattr(FolderSource, "read", watch)
    largest = max(file.stat().st_size for file in (tmp_path / "in").iterdir())
    for limit in (size + 7 * HEAD_BYTES + 2 * largest, HEAD_BYTES + largest):
        taken.clear()
        prepare(tmp_path / "in", say=lambda _: None).close()
        assert sum(taken) <= limit


def test_at_most_a_size_is_not_that_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(10):
        Image.new("RGB", (40, 40) if number < 2 else (80, 80), (number, 0, 0)).save(tmp_path / f"photos/{number}.png")
    found = {}
    for wish in ({"at_most": 64}, {"resolution": 64}, {"at_most": 32}):
        with prepare(tmp_path / "photos", **wish, say=lambda _: None) as dataset:  # type: ignore[arg-type]
            found[next(iter(wish.items()))] = len(dataset), dataset.resolution, dataset.content_hash
    assert found["at_most", 64][:2] == (10, 32) and found["resolution", 64][:2] == (8, 64)
    monkeypatch.setattr(module, "build", None)  # what was made by another wish is taken, where it is the same
    with prepare(tmp_path / "photos", resolution=32) as dataset:
        assert dataset.content_hash == found["at_most", 64][2] == found["at_most", 32][2]


def test_finished_sets_are_opened_as_they_are(photos: Path, tmp_path: Path, cache: Path) -> None:
    build(photos, tmp_path / "s.zip", resolution=32)
    with prepare(tmp_path / "s.zip", resolution=16) as dataset:
        assert dataset.path == tmp_path / "s.zip" and dataset.resolution == 32
        assert dataset.images([0], 16).shape == (1, 3, 16, 16)
    with prepare(tmp_path / "s.zip", resolution=64) as dataset:
        assert dataset.resolution == 32
    with pytest.raises(DataError, match=r"s\.zip: its pictures reach 32x32, below the 64x64 .*--resolution 64"):
        prepare(tmp_path / "s.zip", at_least=64)
    with pytest.raises(DataError, match="have 3 channels"):
        prepare(tmp_path / "s.zip", channels=1)
    assert not (cache / "sets").exists()


def test_folder_of_one_fitting_size_is_a_finished_set(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.new("L", (8, 8), number).save(tmp_path / "in" / f"{number}.png")
    with prepare(tmp_path / "in") as dataset:
        assert dataset.path == tmp_path / "in" and dataset.channels == 1


def test_finished_set_of_mixed_sizes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, size in enumerate((8, 8, 16)):
        Image.new("L", (size, size), number).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "dataset.json").write_text('{"labels": null}')
    with pytest.raises(DataError, match=r"2\.png is 16x16, but the dataset is 8x8"):
        prepare(tmp_path / "in")


def test_photographs_with_labels_are_made_into_a_set_that_follows_both(photos: Path, cache: Path) -> None:
    for labels in ([0, 1, 1], [1, 0, 0]):
        rows = [[f"p{number}.png", label] for number, label in enumerate(labels)]
        (photos / "dataset.json").write_text(json.dumps({"labels": rows}))
        with prepare(photos, say=lambda _: None) as dataset:
            assert dataset.path.parent == cache / "sets" and dataset.labels.tolist() == labels
    (photos / "p0.png").write_bytes(b"")  # the first: whether it is one of a set is not to be told
    with pytest.raises(DataError, match=r"p0\.png: empty file"):
        prepare(photos)


def test_photographs_that_do_not_reach_a_size_are_named_themselves(photos: Path) -> None:
    with pytest.raises(DataError, match=f"^{photos}: its pictures reach 32x32, below the 64x64"):
        prepare(photos, at_most=64, at_least=64, say=lambda _: None)


def test_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no usable picture"):
        prepare(tmp_path / "in")
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "absent")


def test_damaged_kept_set_is_made_again(photos: Path) -> None:
    with prepare(photos, say=lambda _: None) as dataset:
        kept = dataset.path
    kept.write_bytes(b"damage")
    said: list[str] = []
    with prepare(photos, say=said.append) as dataset:
        assert len(dataset) == 3
    assert "rebuilding" in said[0]


def test_kept_sets_that_nobody_uses_go(photos: Path, cache: Path) -> None:
    paths = []
    for resolution in (8, 16, 32):
        with prepare(photos, resolution=resolution, say=lambda _: None) as dataset:
            paths.append(dataset.path)
    old = time.time() - module.UNUSED_SECONDS - 60
    for path in paths[:2]:
        os.utime(path, (old, old))
    prepare(photos, resolution=16, say=lambda _: None).close()  # made anew: it was past its time
    assert not paths[0].exists() and not paths[0].with_name(f"{paths[0].name}.pyramid").exists()
    assert paths[1].exists() and paths[2].exists()
    os.utime(paths[2], (old + 120, old + 120))
    prepare(photos, resolution=32, say=lambda _: None).close()
    assert time.time() - paths[2].stat().st_mtime < 60


def test_other_formats_are_built_once_too(tmp_path: Path, cache: Path) -> None:
    write_mnist(tmp_path / "mnist", make_pixels(6, 28, 1)[:, 0], np.arange(6))
    said: list[str] = []
    for _ in range(2):
        with prepare(tmp_path / "mnist", say=said.append) as dataset:
            assert (len(dataset), dataset.resolution, dataset.channels, dataset.num_labels) == (6, 32, 1, 6)
    assert len(said) == 1


def test_many_that_are_too_small_are_told_what_would_take_them() -> None:
    small = [Skipped(f"{i}.png", "smaller than 128x128") for i in range(MANY)]
    assert list_skipped(small)[-1] == f"{MANY} of these are too small: a lower --resolution includes them"
    assert "lower" not in " ".join(list_skipped([*small[1:], Skipped("x.png", "not a picture")]))


def test_labels_that_lie_beside_a_file_are_part_of_it(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "mnist", make_pixels(10, 28, 1)[:, 0], np.arange(10), suffix="")
    images, labels = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.unlink()
    found = []
    for written in (None, content, content[:8] + content[:7:-1]):
        if written is not None:
            labels.write_bytes(written)
            os.utime(labels, ns=(0, len(found)))
        with prepare(images) as dataset:
            found.append(None if dataset.labels is None else dataset.labels.tolist())
    assert found == [None, list(range(10)), list(range(10))[::-1]]
