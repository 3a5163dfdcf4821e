"""Files of every kind, cut off and with bytes changed: they build, or are refused in one line, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data.making_sets import cifar_files, encode, make_pixels, write_idx, write_mnist, write_tar, write_tfrecords

from growgan.core.errors import DataError
from growgan.data.build import build

PIXELS = make_pixels(5)


def make_tar(folder: Path) -> Path:
    return write_tar(folder / "a.tar", {f"{n}.png": encode(pixels) for n, pixels in enumerate(PIXELS)})


def make_zip(folder: Path) -> Path:
    build(make_tar(folder), folder / "a.zip")
    return folder / "a.zip"


def make_idx(folder: Path) -> Path:
    return write_idx(folder / "train-images-idx3-ubyte", PIXELS[:, 0])


def make_labels(folder: Path) -> Path:
    return write_mnist(folder, PIXELS[:, 0], np.arange(5), suffix="") / "train-labels-idx1-ubyte"


def make_batch(folder: Path) -> Path:
    for name, data in cifar_files(PIXELS, [0, 1, 2, 3, 4]).items():
        (folder / name).write_bytes(data)
    return folder / "data_batch_1"


def make_mat(folder: Path) -> Path:
    io = pytest.importorskip("scipy.io")
    columns = {"y": np.arange(1, 6, dtype=np.uint8)[:, None], "X": PIXELS.transpose(2, 3, 1, 0)}
    io.savemat(folder / "train_32x32.mat", columns, do_compression=True)
    return folder / "train_32x32.mat"


def make_parquet(folder: Path) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": [{"bytes": encode(p), "path": None} for p in PIXELS]}), folder / "a.parquet")
    return folder / "a.parquet"


def make_hdf5(folder: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("data32x32", data=PIXELS, compression="gzip")
    return folder / "a.h5"


def make_records(folder: Path) -> Path:
    return write_tfrecords(folder / "toy", PIXELS) / "toy-r05.tfrecords"


def make_sidecar(folder: Path) -> Path:
    build(make_tar(folder), folder / "set", labels="none")
    content = b'{"labels": [["00000/img00000000.png", 1]], "class_names": ["a", "b"], "sources": ["x"]}'
    (folder / "set" / "dataset.json").write_bytes(content)
    return folder / "set" / "dataset.json"


MAKERS = (
    make_tar,
    make_zip,
    make_idx,
    make_labels,
    make_batch,
    make_mat,
    make_parquet,
    make_hdf5,
    make_records,
    make_sidecar,
)
INSIDE = (make_labels, make_batch, make_sidecar)
"""Those of which a file in a folder is damaged."""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("make", MAKERS)
def test_damage_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = make(folder)
    source = file.parent if make in INSIDE else file
    good = file.read_bytes()
    random = np.random.RandomState(0)
    outcomes = set()
    for trial in range(40):
        data = bytearray(good)
        if trial % 4 == 0:
            data = data[: random.randint(len(good))]
        else:
            for place in random.randint(min(len(good), 4096 if trial % 2 else len(good)), size=random.randint(1, 4)):
                data[place] = random.randint(256)
        file.write_bytes(data)
        try:
            build(source, tmp_path / "s.zip", resolution=32, channels=3, overwrite=True)
            outcomes.add("built")
        except DataError as error:
            outcomes.add("refused")
            assert "\n" not in str(error)
        assert not list(tmp_path.glob("s.zip.partial-*"))
    assert "refused" in outcomes
    shutil.rmtree(folder)
