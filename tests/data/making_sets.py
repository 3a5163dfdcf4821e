"""Small sets in the formats of others, written with their own libraries, and what they hold."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Pixels = np.ndarray


def make_pixels(count: int, size: int = 32, channels: int = 3, seed: int = 0) -> Pixels:
    """Smooth pictures of which no two are equal: uint8 [N, C, S, S]."""
    random = np.random.RandomState(seed)
    coarse = random.randint(0, 256, (count, channels, 4, 4)).astype(np.float32)
    return np.kron(coarse, np.ones((1, 1, size // 4, size // 4), np.float32)).astype(np.uint8)


def encode(pixels: Pixels, format: str = "PNG", **options: object) -> bytes:
    """One picture [C, H, W] as a file."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    image.save(buffer, format, **options)
    return buffer.getvalue()


def make_profile(*primaries: tuple[float, float, float]) -> bytes:
    """A colour profile with the curve of sRGB and these primaries, red, green, blue (XYZ, adapted to D50)."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    white = (0.9642, 1.0, 0.8249)
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags = {"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78), "cprt": b"text\0\0\0\0none\0"}
    tags |= {f"{key}XYZ": b"XYZ \0\0\0\0" + fixed(*xyz) for key, xyz in zip("rgb", primaries)}
    tags |= {"wtpt": b"XYZ \0\0\0\0" + fixed(*white)} | {f"{key}TRC": curve for key in "rgb"}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for key, value in tags.items():
        table += key.encode() + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12)
    return (head + b"acsp" + bytes(28) + fixed(*white)).ljust(128, b"\0") + table + body


DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))

SLOW = """
import sys, time
from growgan.cli.main import main
from growgan.data.transform import Transform
made = Transform.apply
def slow(self, content):
    time.sleep(0.05)
    return made(self, content)
Transform.apply = slow
sys.exit(main(["data", "build", *sys.argv[1:]]))
"""


def slow_build(pictures: Path, out: Path) -> list[str]:
    """Fill a folder with 400 pictures. Returns the command of a process that builds a set of them in some seconds."""
    pictures.mkdir()
    for n in range(400):
        (pictures / f"{n}.png").write_bytes(encode(make_pixels(1, 8, seed=n)[0]))
    return [sys.executable, "-c", SLOW, str(pictures), str(out), "--resolution", "8"]


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_idx(path: Path, values: np.ndarray) -> Path:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(edge.to_bytes(4, "big") for edge in values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_mnist(folder: Path, pixels: Pixels, labels: np.ndarray, prefix: str = "train", suffix: str = ".gz") -> Path:
    """Pictures [N, 28, 28]."""
    folder.mkdir(exist_ok=True)
    write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", pixels)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels)
    return folder


def cifar_files(pixels: Pixels, labels: list[int], protocol: int = 2) -> dict[str, bytes]:
    """CIFAR-10's files, of 5 equal training batches and a test batch of the same pictures turned round."""
    flat = pixels.reshape(len(pixels), -1)
    files = {}
    for number, (part, classes) in enumerate(zip(np.split(flat, 5), np.split(np.array(labels), 5)), 1):
        content = {b"batch_label": b"one", b"labels": classes.tolist(), b"data": part, b"filenames": [b"a.png"]}
        files[f"data_batch_{number}"] = pickle.dumps(content, protocol)
    files["test_batch"] = pickle.dumps({b"labels": labels, b"data": flat[::-1].copy()}, protocol)
    names = [f"class {number}" for number in range(10)]
    files["batches.meta"] = pickle.dumps({b"label_names": [name.encode() for name in names]}, protocol)
    return files


def example_message() -> type:
    """The class of tf.train.Example, made from its description with Google's own library."""
    pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    field = pb2.FieldDescriptorProto
    file = pb2.FileDescriptorProto(name="example.proto", package="tf", syntax="proto3")

    def message(parent: object, name: str, *fields: tuple[str, int, int, int, str]) -> object:
        made = (parent.message_type if parent is file else parent.nested_type).add(name=name)  # type: ignore[attr-defined]
        for title, number, kind, label, type_name in fields:
            made.field.add(name=title, number=number, type=kind, label=label, type_name=type_name or None)
        return made

    many, one = field.LABEL_REPEATED, field.LABEL_OPTIONAL
    message(file, "BytesList", ("value", 1, field.TYPE_BYTES, many, ""))
    message(file, "Int64List", ("value", 1, field.TYPE_INT64, many, ""))
    lists = [("bytes_list", 1, field.TYPE_MESSAGE, one, ".tf.BytesList")]
    lists.append(("int64_list", 3, field.TYPE_MESSAGE, one, ".tf.Int64List"))
    message(file, "Feature", *lists)
    features = message(file, "Features", ("feature", 1, field.TYPE_MESSAGE, many, ".tf.Features.FeatureEntry"))
    pair = [("key", 1, field.TYPE_STRING, one, ""), ("value", 2, field.TYPE_MESSAGE, one, ".tf.Feature")]
    message(features, "FeatureEntry", *pair).options.map_entry = True  # type: ignore[attr-defined]
    message(file, "Example", ("features", 1, field.TYPE_MESSAGE, one, ".tf.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tf.Example"))


def write_tfrecords(folder: Path, pixels: np.ndarray) -> Path:
    """As the release writes them, but with TensorBoard's writer of records."""
    records = pytest.importorskip("tensorboard.summary.writer.record_writer")
    Example = example_message()
    folder.mkdir()
    for level in (2, 3, 4, 5):
        with (folder / f"toy-r{level:02d}.tfrecords").open("wb") as file:
            writer = records.RecordWriter(file)
            for picture in pixels[:, :, :: 32 >> level, :: 32 >> level]:
                example = Example()
                example.features.feature["shape"].int64_list.value.extend(picture.shape)
                example.features.feature["data"].bytes_list.value.append(picture.tobytes())
                writer.write(example.SerializeToString())
            writer.flush()
    return folder
