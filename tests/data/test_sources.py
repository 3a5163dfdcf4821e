"""Every kind of source becomes a set with the pixels and labels that its own library wrote."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data.making_sets import cifar_files, encode, make_pixels, write_idx, write_mnist, write_tar, write_tfrecords
from PIL import Image

from growgan.core.errors import DataError
from growgan.data.build import BuildReport, build
from growgan.data.dataset import ImageSet, open_dataset
from growgan.data.sources import FORMATS, open_source
from growgan.data.sources.tfrecord import masked_crc32c

PIXELS = make_pixels(10)
CLASSES = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def build_and_open(source: Path, tmp_path: Path, **wishes: object) -> tuple[BuildReport, ImageSet]:
    report = build(source, tmp_path / "set.zip", overwrite=True, **wishes)  # type: ignore[arg-type]
    assert report.skipped == []
    return report, open_dataset(tmp_path / "set.zip")


def assert_holds(dataset: ImageSet, pixels: np.ndarray, labels: object = None) -> None:
    with dataset:
        assert np.array_equal(np.stack([dataset.read(n) for n in range(len(dataset))]), pixels)
        if labels is None:
            assert dataset.labels is None
        else:
            assert dataset.labels is not None and dataset.labels.tolist() == labels


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_tar(tmp_path: Path, mode: str) -> None:
    names = [f"sub/{n}.png" for n in (3, 1, 2)]
    write_tar(tmp_path / "a.data", dict(zip(names, map(encode, PIXELS))), mode)
    report, dataset = build_and_open(tmp_path / "a.data", tmp_path)
    assert report.copied == 3 and dataset.sources == tuple(names)
    assert_holds(dataset, PIXELS[:3])


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("root", ["", "./"])
def test_a_tar_may_have_a_sidecar(tmp_path: Path, mode: str, is_first: bool, root: str) -> None:
    rows = [[f"{n}.png", CLASSES[n]] for n in range(10)]
    content = {"labels": rows[::-1], "class_names": [f"digit {n}" for n in range(10)]}
    sidecar = {f"{root}dataset.json": json.dumps(content).encode()}
    members = {f"{root}{n}.png": encode(pixels) for n, pixels in enumerate(PIXELS)}
    write_tar(tmp_path / "a.tar", sidecar | members if is_first else members | sidecar, mode)
    report, dataset = build_and_open(tmp_path / "a.tar", tmp_path)
    assert dataset.class_names == tuple(content["class_names"]) and report.count == 10
    assert_holds(dataset, PIXELS, CLASSES)
    _, dataset = build_and_open(tmp_path / "a.tar", tmp_path, labels="none")
    assert dataset.labels is None


def test_a_tars_sidecar_that_is_broken_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"a.png": encode(PIXELS[0]), "dataset.json": b"{"})
    with pytest.raises(DataError, match="is not JSON"):
        build(tmp_path / "a.tar", tmp_path / "set.zip")


def test_webdataset(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for shard in range(2):
        members: dict[str, bytes] = {}
        for n in range(5 * shard, 5 * shard + 5):
            members |= {f"{n:04d}.cls": str(CLASSES[n]).encode(), f"{n:04d}.png": encode(PIXELS[n])}
            members[f"{n:04d}.json"] = b"{}"
        write_tar(tmp_path / "shards" / f"{shard:05d}.tar", members)
    _, dataset = build_and_open(tmp_path / "shards", tmp_path)
    assert dataset.sources[7] == "00001.tar/0007.png"
    assert_holds(dataset, PIXELS, CLASSES)


def test_a_table_about_pictures_is_not_one_of_pictures(tmp_path: Path) -> None:
    """Hugging Face's metadata.parquet lies in a folder of pictures."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode(PIXELS[0]))
    parquet.write_table(arrow.table({"file_name": ["a.png"], "text": ["red"]}), tmp_path / "in" / "metadata.parquet")
    with pytest.raises(DataError, match=r"no column of pictures \(columns: file_name, text\); .*--kind folder"):
        build(tmp_path / "in", tmp_path / "s.zip")
    assert build(tmp_path / "in", tmp_path / "s.zip", kind="folder").count == 1


def test_lmdb(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    wide = [np.pad(pixels, [(0, 0), (0, 0), (5, 7)]) for pixels in PIXELS]
    with lmdb.open(str(tmp_path / "bedroom"), map_size=2**20) as env, env.begin(write=True) as transaction:
        for n, pixels in enumerate(wide):
            transaction.put(f"{n:040x}".encode(), encode(pixels, "WEBP", lossless=True))
        transaction.put(b"\xff\x00", b"no picture")
    report = build(tmp_path / "bedroom", tmp_path / "set.zip", limit=11)
    assert report.skipped == [("ff00", "not a picture")] and report.framing == "centre square"
    left = np.stack(wide)[..., 6:38]
    assert_holds(open_dataset(tmp_path / "set.zip"), left)
    file = tmp_path / "bedroom" / "data.mdb"
    assert open_source(file).count == 11
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated"):
        open_source(tmp_path / "bedroom")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_cifar10_from_a_folder(tmp_path: Path, protocol: int) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, data in cifar_files(PIXELS, CLASSES, protocol).items():
        (folder / name).write_bytes(data)
    report, dataset = build_and_open(folder, tmp_path)
    assert (report.resolution, report.channels, dataset.num_labels) == (32, 3, 10) and dataset.sources == ()
    assert dataset.class_names[3] == "class 3"
    assert_holds(dataset, PIXELS, CLASSES)
    _, dataset = build_and_open(folder, tmp_path, split="test", labels="none")
    assert_holds(dataset, PIXELS[::-1])
    _, dataset = build_and_open(folder, tmp_path, split="all", limit=11)
    assert_holds(dataset, np.concatenate([PIXELS, PIXELS[-1:]]), [*CLASSES, 3])


def test_cifar10_from_the_archive(tmp_path: Path) -> None:
    files = {f"cifar-10-batches-py/{name}": data for name, data in reversed(cifar_files(PIXELS, CLASSES).items())}
    write_tar(tmp_path / "cifar-10-python.tar.gz", files, "w:gz")
    assert_holds(build_and_open(tmp_path / "cifar-10-python.tar.gz", tmp_path)[1], PIXELS, CLASSES)
    (tmp_path / "folder").mkdir()
    (tmp_path / "cifar-10-python.tar.gz").rename(tmp_path / "folder" / "cifar-10-python.tar.gz")
    assert_holds(build_and_open(tmp_path / "folder", tmp_path)[1], PIXELS, CLASSES)


def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path) -> None:
    content = {b"data": PIXELS.reshape(10, -1), b"fine_labels": CLASSES, b"coarse_labels": [n % 2 for n in CLASSES]}
    names = {b"fine_label_names": [b"f%d" % n for n in range(100)], b"coarse_label_names": [b"even", b"odd"]}
    (tmp_path / "in").mkdir()
    for name, part in (("train", content), ("test", content), ("meta", names)):
        (tmp_path / "in" / name).write_bytes(pickle.dumps(part, 2))
    _, dataset = build_and_open(tmp_path / "in", tmp_path)
    assert dataset.num_labels == 100
    assert_holds(dataset, PIXELS, CLASSES)
    _, dataset = build_and_open(tmp_path / "in", tmp_path, labels="coarse")
    assert dataset.class_names == ("even", "odd")
    assert_holds(dataset, PIXELS, [n % 2 for n in CLASSES])
    with pytest.raises(DataError, match=r"labels broad: must be folders, none .* fine, coarse"):
        build(tmp_path / "in", tmp_path / "s.zip", labels="broad")
    with pytest.raises(DataError, match=r"no split dev .*train, test, all"):
        build(tmp_path / "in", tmp_path / "s.zip", split="dev")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_is_padded_to_32(tmp_path: Path, suffix: str) -> None:
    digits = make_pixels(10, 28, 1)[:, 0]
    folder = write_mnist(tmp_path / "mnist", digits, np.array(CLASSES), suffix=suffix)
    write_mnist(folder, digits[::-1], np.array(CLASSES[::-1]), "t10k", suffix)
    report, dataset = build_and_open(folder, tmp_path)
    assert (report.resolution, report.channels) == (32, 1) and dataset.class_names == tuple("0123456789")
    padded = np.zeros((10, 1, 32, 32), np.uint8)
    padded[:, 0, 2:30, 2:30] = digits
    assert_holds(dataset, padded, CLASSES)
    _, dataset = build_and_open(folder / f"t10k-images-idx3-ubyte{suffix}", tmp_path)
    assert_holds(dataset, padded[::-1], CLASSES[::-1])


def test_fashion_mnist_is_told_by_its_labels(tmp_path: Path) -> None:
    labels = np.array([9, 0, 0, 3, 0, 2, 7, 2, 5, 5])
    folder = write_mnist(tmp_path / "f", make_pixels(10, 28, 1)[:, 0], labels)
    _, dataset = build_and_open(folder, tmp_path)
    assert dataset.class_names[9] == "Ankle boot" and dataset.num_labels == 10


def test_mnist_rgb_draws_as_the_release(tmp_path: Path) -> None:
    digits = make_pixels(10, 28, 1)[:, 0]
    folder = write_mnist(tmp_path / "mnist", digits, np.array(CLASSES))
    _, dataset = build_and_open(folder, tmp_path, kind="mnist-rgb", limit=20)
    random = np.random.RandomState(123)
    drawn = [random.randint(10, size=3) for _ in range(20)]
    padded = np.pad(digits, [(0, 0), (2, 2), (2, 2)])
    modes = [100 * CLASSES[r] + 10 * CLASSES[g] + CLASSES[b] for r, g, b in drawn]
    assert dataset.num_labels == 1000 and dataset.class_names[7] == "007"
    assert_holds(dataset, padded[np.array(drawn)], modes)


@pytest.mark.parametrize("packed", [False, True])
def test_svhn(tmp_path: Path, packed: bool) -> None:
    io = pytest.importorskip("scipy.io")
    digits = np.array([10, *range(1, 10)], np.uint8)[:, None]
    columns = {"note": "cropped", "X": PIXELS.transpose(2, 3, 1, 0), "odd": np.array([1 + 2j]), "y": digits}
    (tmp_path / "svhn").mkdir()
    io.savemat(tmp_path / "svhn" / "train_32x32.mat", columns, do_compression=packed)
    _, dataset = build_and_open(tmp_path / "svhn", tmp_path)
    assert dataset.class_names == tuple("0123456789")
    assert_holds(dataset, PIXELS, list(range(10)))
    io.savemat(tmp_path / "renamed", {"y": digits[:2].astype(float), "X": columns["X"][..., :2]}, appendmat=False)
    assert_holds(build_and_open(tmp_path / "renamed", tmp_path)[1], PIXELS[:2], [0, 1])


def write_celeba(folder: Path, form: str) -> np.ndarray:
    """A folder as CelebA comes, with 3 pictures; returns them as [N, H, W, C]."""
    pictures = np.random.RandomState(0).randint(0, 256, (3, 218, 178, 3)).astype(np.uint8)
    (folder / "img_align_celeba").mkdir(parents=True)
    for n, pixels in enumerate(pictures, 1):
        Image.fromarray(pixels).save(folder / "img_align_celeba" / f"{n:06d}.png")
    rows = [[f"{n:06d}.jpg", 1 if n > 1 else -1, -1] for n in (1, 2, 3)]
    if form == "txt":
        lines = ["3", "Smiling Young", *(f"{name}  {a} {b}" for name, a, b in rows)]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    else:
        lines = ["image_id,Smiling,Young", *(f"{name},{a},{b}" for name, a, b in rows)]
        (folder / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
    return pictures


@pytest.mark.parametrize("name", ["img_align_celeba", "img_align_celeba_png"])
def test_celeba_as_its_authors_lay_it_out(tmp_path: Path, name: str) -> None:
    """The pictures unpacked in Img, the list in Anno; the root or the pictures' own folder is given."""
    root = tmp_path / "CelebA"
    pictures = write_celeba(root, "txt")
    for folder in ("Img", "Anno"):
        (root / folder).mkdir()
    (root / "img_align_celeba").rename(root / "Img" / name)
    (root / "list_attr_celeba.txt").rename(root / "Anno" / "list_attr_celeba.txt")
    expected = pictures[:, 57:185, 25:153].transpose(0, 3, 1, 2)
    for place in (root, root / "Img", root / "Img" / name):
        _, dataset = build_and_open(place, tmp_path)
        assert_holds(dataset, expected, [[0, 0], [1, 0], [1, 0]])


@pytest.mark.parametrize("form", ["txt", "csv"])
def test_celeba(tmp_path: Path, form: str) -> None:
    pictures = write_celeba(tmp_path / "celeba", form)
    report, dataset = build_and_open(tmp_path / "celeba", tmp_path)
    assert "25,57,153,185" in report.framing and dataset.class_names == ("Smiling", "Young")
    # The release takes rows 121 - 64 to 121 + 64 and columns 89 - 64 to 89 + 64.
    expected = pictures[:, 57:185, 25:153].transpose(0, 3, 1, 2)
    assert_holds(dataset, expected, [[0, 0], [1, 0], [1, 0]])
    report, dataset = build_and_open(tmp_path / "celeba", tmp_path, crop=(0, 0, 178, 178), labels="none")
    assert "0,0,178,178" in report.framing and dataset.labels is None


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        for size in (4, 8, 16, 32):
            values = PIXELS[:, :, :: 32 // size, :: 32 // size]
            file.create_dataset(f"data{size}x{size}", data=values, compression="gzip", compression_opts=4)
    np.save(tmp_path / "old-labels.npy", np.eye(10, dtype=np.float32)[CLASSES])
    assert_holds(build_and_open(tmp_path / "old.h5", tmp_path)[1], PIXELS, CLASSES)
    with h5py.File(tmp_path / "last.h5", "w") as file:
        file["pictures"] = PIXELS.transpose(0, 2, 3, 1)
    assert_holds(build_and_open(tmp_path / "last.h5", tmp_path)[1], PIXELS)
    (tmp_path / "cut.h5").write_bytes((tmp_path / "old.h5").read_bytes()[:3000])
    with pytest.raises(DataError, match="not a readable HDF5"):
        open_source(tmp_path / "cut.h5")


def test_tfrecords(tmp_path: Path) -> None:
    folder = write_tfrecords(tmp_path / "toy", PIXELS)
    assert_holds(build_and_open(folder, tmp_path)[1], PIXELS)
    with (folder / "toy-rxx.labels").open("wb") as file:
        np.save(file, np.eye(10, dtype=np.float32)[CLASSES])
    assert open_source(folder).count == 10
    assert_holds(build_and_open(folder, tmp_path)[1], PIXELS, CLASSES)
    assert_holds(build_and_open(folder / "toy-r05.tfrecords", tmp_path)[1], PIXELS, CLASSES)


def test_damaged_tfrecords(tmp_path: Path) -> None:
    folder = write_tfrecords(tmp_path / "toy", PIXELS)
    file = folder / "toy-r05.tfrecords"
    data = bytearray(file.read_bytes())
    data[200] ^= 1  # in the first picture
    file.write_bytes(data)
    report = build(folder, tmp_path / "set.zip")
    assert report.count == 9 and report.skipped == [("00000000", "damaged (the checksum does not match)")]
    file.write_bytes(data[:-7])
    with pytest.raises(DataError, match="truncated after 9 records"):
        build(folder, tmp_path / "cut.zip", resolution=32, channels=3)
    size = struct.pack("<Q", 2**40)
    file.write_bytes(size + struct.pack("<I", masked_crc32c(size)) + b"x" * 100)
    with pytest.raises(DataError, match="damaged after 0 records"):
        build(folder, tmp_path / "cut.zip", resolution=32, channels=3)
    assert not list(tmp_path.glob("cut.zip*"))


def hugging_face(feature: object) -> dict[bytes, bytes]:
    """The metadata that `datasets` puts into a schema."""
    features = {"picture": {"_type": "Image"}, "kind": feature}
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def make_table(feature: object, kinds: list[object]) -> object:
    pa = pytest.importorskip("pyarrow")
    pictures = [{"bytes": encode(pixels), "path": f"p{n}.png"} for n, pixels in enumerate(PIXELS)]
    table = pa.table({"id": list(range(10)), "kind": kinds, "picture": pictures})
    return table.replace_schema_metadata(hugging_face(feature))


def class_label(count: int) -> dict[str, object]:
    return {"_type": "ClassLabel", "names": [f"c{n}" for n in range(count)]}


def test_parquet(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = make_table(class_label(10), list(CLASSES))
    (tmp_path / "in" / "data").mkdir(parents=True)
    pq.write_table(table.slice(0, 6), tmp_path / "in" / "data" / "train-00000-of-00002.parquet")  # type: ignore[attr-defined]
    pq.write_table(table.slice(6), tmp_path / "in" / "data" / "train-00001-of-00002.parquet")  # type: ignore[attr-defined]
    pq.write_table(table.slice(2, 3), tmp_path / "in" / "data" / "test-00000-of-00001.parquet")  # type: ignore[attr-defined]
    _, dataset = build_and_open(tmp_path / "in", tmp_path)
    assert dataset.class_names[9] == "c9" and dataset.sources[7] == "p7.png"
    assert_holds(dataset, PIXELS, CLASSES)
    assert_holds(build_and_open(tmp_path / "in", tmp_path, split="test")[1], PIXELS[2:5], CLASSES[2:5])
    more = tmp_path / "more"
    more.mkdir()
    for name in ("test_0", "test0", "validation_000", "dev.x", "tests"):
        shutil.copy(tmp_path / "in" / "data" / "test-00000-of-00001.parquet", more / f"{name}.parquet")
    assert len(build_and_open(more, tmp_path, split="test")[1]) == 6
    assert len(build_and_open(more, tmp_path)[1]) == 3  # "tests" says nothing
    single = tmp_path / "in" / "data" / "train-00000-of-00002.parquet"
    assert_holds(build_and_open(single, tmp_path, labels="id")[1], PIXELS[:6], list(range(6)))
    single.write_bytes(single.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a readable table"):
        open_source(single)


def test_several_labels_a_row(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = make_table({"_type": "Sequence", "feature": class_label(3)}, [[n % 3, 2] for n in range(10)])
    pq.write_table(table, tmp_path / "a.parquet")
    expected = [[float(k in (n % 3, 2)) for k in range(3)] for n in range(10)]
    assert_holds(build_and_open(tmp_path / "a.parquet", tmp_path)[1], PIXELS, expected)


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_saved_to_disk(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    table = make_table(class_label(10), list(CLASSES))
    folder = tmp_path / "saved" / "train"
    folder.mkdir(parents=True)
    names = [f"data-0000{n}-of-00002.arrow" for n in range(2)]
    for name, part in zip(names, (table.slice(0, 4), table.slice(4))):  # type: ignore[attr-defined]
        new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with pa.OSFile(str(folder / name), "wb") as sink, new(sink, part.schema) as writer:
            writer.write_table(part)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    for path in (folder, tmp_path / "saved"):
        assert_holds(build_and_open(path, tmp_path)[1], PIXELS, CLASSES)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../../x.arrow"}]}')
    with pytest.raises(DataError, match="missing files"):
        open_source(folder)


def test_a_kind_can_be_forced(tmp_path: Path) -> None:
    write_mnist(tmp_path / "in", make_pixels(4, 28, 1)[:, 0], np.arange(4))
    (tmp_path / "in" / "photo.png").write_bytes(encode(PIXELS[0]))
    assert build(tmp_path / "in", tmp_path / "a.zip").count == 4
    report = build(tmp_path / "in", tmp_path / "b.zip", kind="folder")
    assert report.count == 1 and len(report.skipped) == 2
    with pytest.raises(DataError, match="cassette: unknown kind of source"):
        build(tmp_path / "in", tmp_path / "c.zip", kind="cassette")
    with pytest.raises(DataError, match="a folder has no splits"):
        build(tmp_path / "in", tmp_path / "c.zip", kind="folder", split="test")


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_not_of_a_kind_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello " * 300)
    for path in (tmp_path / "in", tmp_path / "in" / "notes.txt"):
        with pytest.raises(DataError) as caught:
            build(path, tmp_path / "out.zip", kind=kind)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(("module", "name", "kind"), [("lmdb", "data.mdb", "lmdb"), ("h5py", "a.h5", "hdf5")])
def test_a_missing_package_is_named(
    tmp_path: Path, module: str, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" if kind == "hdf5" else b"")
    with pytest.raises(DataError, match=rf"needs {module}: pip install {module}"):
        open_source(tmp_path / name, kind)


def test_idx_that_lies_about_its_size(tmp_path: Path) -> None:
    file = write_idx(tmp_path / "train-images-idx3-ubyte", make_pixels(4, 28, 1)[:, 0])
    data = file.read_bytes()
    for damaged in (data[:-1], data[:3], b"\x00\x00\x08\x03" + b"\xff" * 12 + data[16:]):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match=r"damaged|not an idx"):
            open_source(file, "mnist")


def test_one_picture_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encode(make_pixels(1, 8)[0]))
    with pytest.raises(DataError, match=r"one\.png: a single picture; pass the folder"):
        open_source(tmp_path / "one.png")


def test_a_zip_that_is_cut_off_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.writestr("x.png", encode(make_pixels(1, 8)[0]))
    (tmp_path / "part.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"not a readable zip .truncated or damaged"):
        open_source(tmp_path / "part.zip")


def test_heic_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    with pytest.raises(DataError, match=r"no usable picture \(1 of 1 files: HEIC is not supported"):
        build(tmp_path / "in", tmp_path / "s.zip")
    (tmp_path / "in" / "x.png").write_bytes(encode(make_pixels(1, 8)[0]))
    report = build(tmp_path / "in", tmp_path / "s.zip")
    assert report.skipped == [("phone.heic", "HEIC is not supported: convert it to JPEG first")]
