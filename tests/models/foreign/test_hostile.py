"""Files that are made to do harm: each is refused with one line, nothing of it is run, and memory stays bounded."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import foreign_files
import numpy as np
import pytest
import torch

from growgan.cli.main import main
from growgan.core.errors import ModelError
from growgan.models.foreign import pickled
from growgan.models.foreign.opening import open_any

MUCH = 30_000_000
"""Bytes that no reader may need for the small files here."""


def refusal(path: Path, data: bytes) -> str:
    """The one line with which a file is refused, in bounded memory."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as caught:
            file = open_any(path)
            for name in ("G", "D", "G_ema"):
                file.network(name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message and "\n" not in message and len(message) < 500 and str(path) in message
    assert peak < MUCH
    return message


class Calls:
    """A pickle of it calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def attacks(mark: Path) -> dict[str, Any]:
    command = f"touch {mark}"
    return {
        "os.system": Calls(os.system, command),
        "eval": Calls(eval, f"open({str(mark)!r}, 'w')"),
        "exec": Calls(exec, f"open({str(mark)!r}, 'w')"),
        "import": Calls(__import__, "antigravity"),
        "popen": Calls(os.popen, command),
        "open": Calls(open, str(mark), "w"),
        "torch.load": Calls(torch.load, str(mark)),
        "numpy.load": Calls(np.load, str(mark)),
        "getattr": Calls(getattr, "", "format"),
        "map": Calls(map, len, ["a"]),
    }


NAMES = ("os.system", "eval", "exec", "import", "popen", "open", "torch.load", "numpy.load", "getattr", "map")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", NAMES)
def test_calls_in_pickles(tmp_path: Path, name: str, protocol: int) -> None:
    mark = tmp_path / "mark"
    attack = attacks(mark)[name]
    message = refusal(tmp_path / "a.pkl", pickle.dumps(attack, protocol))
    assert "asks for" in message
    refusal(tmp_path / "b.pkl", pickle.dumps(("G", "D", attack), protocol))
    assert not mark.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_calls_in_files_of_pytorch(tmp_path: Path, name: str, zipped: bool) -> None:
    mark = tmp_path / "mark"
    content = {"config": {}, "netG": {"formatLayer.weight": torch.zeros(2)}, "x": attacks(mark)[name]}
    assert "asks for" in refusal(tmp_path / "a.pt", foreign_files.torch_bytes(content, zipped))
    assert not mark.exists()


def test_a_tensors_attributes_are_no_way_around_what_calls_may_hold(tmp_path: Path) -> None:
    """Each call copies what is remembered once: twenty kilobytes would come to hundreds of megabytes."""
    code = b"\x80\x02(" + b"]q\x01(" + b"K\x01" * 1000 + b"e" + b"(cbuiltins\nset\nq\x02"
    code += b"ctorch._tensor\n_rebuild_from_type_v2\nq\x03"
    code += b"h\x03(h\x02Nh\x01\x85NtR" * 2000 + b"ll."
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", code)
    assert "tensor without data" in refusal(tmp_path / "a.pt", out.getvalue())


@pytest.mark.parametrize(
    "code",
    [
        b"cos\nsystem\n(S'touch mark'\ntR.",
        b"(S'touch mark'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch mark'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
        b"\x80\x04\x8c\x06tfutil\x8c\x1dNetwork.__init__.__globals__x\x93.",
        b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x06tfutil\x8c\x07Network\x93\x8c\x08__init__\x86R.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\nK\x00\x85C\x01b\x87R.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02(lp0\nP1\n.",
        b"\x80\x05\x97.",
    ],
)
def test_instructions_by_hand(tmp_path: Path, code: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(tmp_path / "a.pkl", code)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x04\x8e" + b"\xff" * 8 + b"x.",
        b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00x.",
        b"\x80\x04\x8d" + b"\xff" * 8 + b"x.",
        b"\x80\x05\x96\xff\xff\xff\xff\x0f\x00\x00\x00x.",
        b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
        b"\x80\x02B\xff\xff\xff\xffx.",
        b"\x80\x02T\xff\xff\xff\xffx.",
        b"\x80\x02T\xff\xff\xff\x7fx.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02Nr\xff\xff\xff\xff.",
        b"\x80\x02j\xff\xff\xff\xff.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"L" + b"9" * 100_000 + b"L\n.",
        b"Np" + b"9" * 100_000 + b"\n.",
        b"(" * 30_000,
        b"\x80\x02" + b"]" * 20_000 + b".",
        b"\x80\x02" + b"]" + b"]a" * 15_000 + b".",
        b"\x80\x02)" + b"\x85" * 30_000 + b".",
        b"\x80\x02(" + b"N" * 30_000 + b"t.",
    ],
)
def test_lengths_that_lie_and_deep_nests(tmp_path: Path, code: bytes) -> None:
    refusal(tmp_path / "a.pkl", code)


def test_instructions_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "MOST_STEPS", 1000)
    assert "more than 1,000 instructions" in refusal(tmp_path / "a.pkl", b"\x80\x02" + b"N0" * 1000 + b"N.")


def test_bytes_that_are_encoded_again_and_again(tmp_path: Path) -> None:
    """Each of 5,000 calls would make a copy of the same 100 kB: 500 MB of a file of 150 kB."""
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
    code = b"\x80\x02c_codecs\nencode\nq\x000" + text + b"q\x010X\x06\x00\x00\x00latin1q\x020]("
    refusal(tmp_path / "a.pkl", code + b"h\x00h\x01h\x02\x86R" * 5_000 + b"e.")


@pytest.mark.parametrize("name", [b"builtins\nset", b"builtins\nfrozenset", b"collections\nOrderedDict"])
def test_containers_that_are_copied_again_and_again(tmp_path: Path, name: bytes) -> None:
    """Each of 3,000 calls would copy the same list of 10,000 values."""
    pairs = b"(" + b"NN\x86" * 10_000 + b"l"
    code = b"\x80\x02c" + name + b"\nq\x000" + pairs + b"q\x010]("
    assert "over and over" in refusal(tmp_path / "a.pkl", code + b"h\x00h\x01\x85R" * 3_000 + b"e.")


def cyclic() -> dict[str, Any]:
    inside: list[Any] = []
    inside.append(inside)
    table: dict[str, Any] = {}
    table["variables"] = table
    table["static_kwargs"] = table
    return {"a list in itself": inside, "a dictionary in itself": table, "a tuple of it": (inside, inside, inside)}


@pytest.mark.parametrize("name", ["a list in itself", "a dictionary in itself", "a tuple of it"])
def test_cycles(tmp_path: Path, name: str) -> None:
    found = cyclic()[name]
    for protocol in range(6):
        refusal(tmp_path / "a.pkl", pickle.dumps(found, protocol))
    for zipped in (True, False):
        content = {"config": found, "netG": found, "state_dict": found, "generator": found}
        refusal(tmp_path / "a.pt", foreign_files.torch_bytes(content, zipped))


def nested(depth: int) -> Any:
    """A value that refers twice to one that refers twice to another ...: tiny in a file, 2^depth when written out."""
    value: Any = ("a", "a")
    for _ in range(depth):
        value = (value, value)
    return value


def test_values_that_unfold_without_end(tmp_path: Path) -> None:
    for depth, said in ((60, "it unfolds to more than"), (10, "a tuple")):
        wide = nested(depth)
        assert said in refusal(tmp_path / "a.pkl", foreign_files.release(version=wide))
        weights = {"formatLayer.weight": torch.zeros(4, 4), "groupScale0.0.weight": torch.zeros(4, 4, 3, 3)}
        content = {
            "config": {"lossCriterion": wide},
            "netG": weights | {"toRGBLayers.0.weight": torch.zeros(3, 4, 1, 1)},
        }
        assert said in refusal(tmp_path / "a.pt", foreign_files.torch_bytes(content))
        data = foreign_files.theano()
        with foreign_files.class_of("network.Network") as Network:
            network = Network()
            network.__dict__.update(build_func_spec={"func": wide}, param_values=[], build_func_name="G_paper")
            data = pickle.dumps(network, 2)
        assert said in refusal(tmp_path / "a.pkl", data)


@pytest.mark.parametrize(
    "changes",
    [
        {"static_kwargs": []},
        {"variables": [("a", 1), ("a", 2)]},
        {"variables": [1, 2]},
        {"variables": "text"},
        {"static_kwargs": {"resolution": 2**5000}},
        {"static_kwargs": {"resolution": float("nan")}},
        {"static_kwargs": {"resolution": 8, "fmap_base": float("inf")}},
        {"static_kwargs": {"resolution": 8, "fmap_decay": -1e308}},
        {"static_kwargs": {"resolution": 8, "latent_size": -1}},
        {"build_func_name": ["G_paper"]},
        {"version": "2"},
    ],
)
def test_states_of_nonsense(tmp_path: Path, changes: dict[str, Any]) -> None:
    table = changes.get("static_kwargs")
    if isinstance(table, dict):
        changes = {"static_kwargs": {"num_channels": 3, "fmap_max": 8, **table}}
    refusal(tmp_path / "a.pkl", foreign_files.release(**changes))


def array_code(shape: bytes, kind: bytes = b"f4", raw: bytes = b"C\x04abcd") -> bytes:
    """A pickle of one network whose first weight is an array of that shape."""
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    kinds = b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R"
    return made + b"(K\x01" + shape + kinds + b"\x89" + raw + b"tb"


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", b"f4"),  # 2 ** 40 numbers
        (b"\x8a\x09" + b"\x00" * 8 + b"\x01\x85", b"f4"),  # 2 ** 64
        (b"J\xff\xff\xff\xff\x85", b"f4"),  # -1
        (b"(" + b"K\x02" * 40 + b"t", b"f4"),  # forty axes
        (b"K\x01\x85", b"O8"),
        (b"K\x01\x85", b"V9999"),
        (b"U\x03abc", b"f4"),
    ],
)
def test_arrays_that_lie(tmp_path: Path, shape: bytes, kind: bytes) -> None:
    head = b"\x80\x02ctfutil\nNetwork\n)\x81}(U\x07versionK\x02U\x04nameU\x01GU\x0fbuild_func_nameU\x07G_paper"
    head += b"U\x0dstatic_kwargs}(U\nresolutionK\x04U\x09fmap_baseK\x10U\x08fmap_maxK\x08U\x0blatent_sizeK\x01u"
    head += b"U\x09variables]U\x104x4/Dense/weight"
    message = refusal(tmp_path / "a.pkl", head + array_code(shape, kind) + b"\x86aub.")
    assert "array" in message or "shape" in message


class Lies:
    """A tensor that says another size than it has."""

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self.how = (offset, shape, strides)

    def __reduce__(self) -> Any:
        tensor = torch.zeros(4)
        storage = torch.storage.TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True)
        return torch._utils._rebuild_tensor_v2, (storage, *self.how, False, {})


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((2**40, 96), (96, 1), 0),
        ((96, 6), (0, 0), 0),
        ((96, 6), (6, 1), 0),
        ((96, 6), (-1, 1), 0),
        ((2,) * 20, (1,) * 20, 0),
        ((1, 1), (1, 1), 9),
        ((-1, 6), (6, 1), 0),
        ((96,), (1, 1), 0),
        (("a", 1), (1, 1), 0),
    ],
)
def test_tensors_that_lie(tmp_path: Path, shape: Any, strides: Any, offset: int, zipped: bool) -> None:
    content = {"config": {}, "netG": {"formatLayer.weight": Lies(shape, strides, offset)}}
    state = content["netG"]
    state["groupScale0.0.weight"], state["toRGBLayers.0.weight"] = torch.zeros(6, 6, 3, 3), torch.zeros(3, 6, 1, 1)
    state |= {f"{name}.bias": torch.zeros(1) for name in ("formatLayer", "groupScale0.0", "toRGBLayers.0")}
    refusal(tmp_path / "a.pt", foreign_files.torch_bytes(content, zipped))


def rezipped(data: bytes, compress: int = zipfile.ZIP_STORED, **entries: bytes) -> bytes:
    """A zip of PyTorch's with some entries replaced."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(foreign_files.torch_bytes({}))) as old,
        zipfile.ZipFile(buffer, "w", compress) as new,
    ):
        for entry in old.infolist():
            inner = entry.filename.partition("/")[2]
            new.writestr(
                entry.filename,
                data if inner == "data.pkl" else entries.get(inner, b"little" if inner == "byteorder" else b"3"),
            )
    return buffer.getvalue()


def test_a_zip_that_would_grow(tmp_path: Path) -> None:
    bomb = rezipped(b"\x80\x02" + b"]" * 60_000_000 + b".", zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1_000_000
    assert "compressed, which PyTorch never does" in refusal(tmp_path / "a.pth", bomb)


def test_a_zip_of_very_many_entries(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *[0] * 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    data = b"PK\x03\x04" + bytes(30) + entry * 65_535
    data += struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65_535, 65_535, len(entry) * 65_535, 34, 0)
    assert "more than 20,000 entries" in refusal(tmp_path / "a.pth", data)


@pytest.mark.parametrize("offset", [18, 22])
def test_a_zip_whose_entries_lie_of_their_size(tmp_path: Path, offset: int) -> None:
    data = bytearray(foreign_files.gan_zoo())
    start = data.index(b"PK\x01\x02")
    for at in (20, 24):  # both sizes of the first entry, in the list at the end
        data[start + at : start + at + 4] = struct.pack("<I", 2**31)
    assert "larger than the file" in refusal(tmp_path / "a.pt", bytes(data))
    data[start + 42 : start + 46] = struct.pack("<I", offset)
    refusal(tmp_path / "a.pt", bytes(data))


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04", b"PK\x03\x04" + bytes(99), b"\x80", b"\x80\x02", b"(", b"c", b"\x80\xff."]
)
def test_beginnings_of_files(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path / "a.bin", data)


@pytest.mark.parametrize("kind", foreign_files.MAKERS)
def test_files_that_were_cut(tmp_path: Path, kind: str) -> None:
    data = foreign_files.MAKERS[kind]()
    for part in (0.01, 0.2, 0.5, 0.9, 0.999):
        refusal(tmp_path / "cut", data[: int(len(data) * part)])


def header(**tensors: Any) -> bytes:
    text = json.dumps({"__metadata__": {"growgan.format": "1", "growgan.spec": "{}"}, **tensors}).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        header(a={"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}) + bytes(16),
        header(a={"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}) + bytes(16),
        header(a={"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}) + bytes(16),
        header(a={"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}) + bytes(16),
        header(**{k: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for k in "ab"}) + bytes(16),
        header(**{"G.x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}) + bytes(99),
        header(**{"G.x": {"dtype": "X32", "shape": [4], "data_offsets": [0, 16]}}) + bytes(16),
        struct.pack("<Q", 2**63) + b"{}" + bytes(16),
        struct.pack("<Q", 2**40) + b"{}" + bytes(16),
        struct.pack("<Q", 10) + b'{"a":' + b"[" * 5,
        struct.pack("<Q", 100_008) + b'{"a": 1' + b"[" * 100_000 + b" ",
    ],
)
def test_model_files_with_wrong_offsets(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path / "m.safetensors", data)


def test_the_command_says_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "a.pkl", tmp_path / "out.safetensors"
    source.write_bytes(pickle.dumps(Calls(os.system, f"touch {tmp_path / 'mark'}")))
    assert main(["import", str(source), str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "nothing in it was run" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pkl"]
