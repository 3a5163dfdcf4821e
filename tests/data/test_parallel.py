"""Work on many pictures at once: in order, and never too much of it in memory."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from data.making_sets import cifar_files, encode, make_pixels, write_idx, write_tar

from growgan.core.errors import DataError
from growgan.data import parallel
from growgan.data.parallel import map_ordered
from growgan.data.sources import LARGEST_MEMBER, Record, Skipped, cifar, mnist, open_source, tar, weigh

PIXELS = make_pixels(10)


@pytest.mark.parametrize("budget", [1, 10, 25, 10**6])
def test_no_more_is_held_than_may_be(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "MOST_BYTES", budget)
    monkeypatch.setattr(parallel, "count_cores", lambda: 4)
    lock, held, most = threading.Lock(), 0, 0

    def work(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        return size

    sizes = [1, 9, 3, 8, 2, 12, 1, 1, 30, 4] * 10
    results = []
    for result in map_ordered(work, sizes, lambda size: size):
        results.append(result)
        with lock:
            held -= result
    assert results == sizes
    assert most <= max(budget, *sizes)


def test_items_say_what_they_weigh(tmp_path: Path) -> None:
    members = {f"{n}.png": encode(pixels) for n, pixels in enumerate(PIXELS)}
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in members.items():
        (folder / name).write_bytes(data)
    for source in (folder, write_tar(tmp_path / "a.tar", members)):
        with open_source(source) as opened:
            assert [weigh(item) for item in opened] == [len(data) for data in members.values()]
    assert weigh(Skipped("a", "b")) == 0


def test_a_sample_without_an_end_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of one stem are held together until the next begins, which may be never, but not without limit."""
    data = encode(PIXELS[0])
    monkeypatch.setattr(tar, "LARGEST_MEMBER", 3 * len(data))
    members = {f"shot.{n}.png": data for n in range(8)} | {"two.png": data, "two.cls": b"5"}
    write_tar(tmp_path / "a.tar", members)
    with open_source(tmp_path / "a.tar") as source:
        found: Iterator[Record | Skipped] = iter(source)
        labels = [(item.name, item.label) for item in found if isinstance(item, Record)]
        assert labels == [(f"shot.{n}.png", None) for n in range(8)] + [("two.png", 5)]
        gathered = tar._gather(tar.read_members(tmp_path / "a.tar"))
        assert [len(sample) for sample in gathered] == [3, 3, 2, 2]


def test_what_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_idx(tmp_path / "train-images-idx3-ubyte.gz", PIXELS[:, 0])
    assert len(mnist.read_idx(file, 3)) == len(PIXELS)
    monkeypatch.setattr(mnist, "LARGEST_IDX", 5000)
    with pytest.raises(DataError, match="unpacks to more than"):
        mnist.read_idx(file, 3)
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (cifar_files(PIXELS, [0] * 10) | {"filler": bytes(10**6)}).items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    monkeypatch.setattr(cifar, "LARGEST_MEMBER", 10**5)
    with open_source(path) as source:  # what is not wanted does not count
        assert source.count == 10
    monkeypatch.setattr(cifar, "LARGEST_MEMBER", 1000)
    with pytest.raises(DataError, match="unpacks to more than"):
        open_source(path)
    assert LARGEST_MEMBER == 2**29
