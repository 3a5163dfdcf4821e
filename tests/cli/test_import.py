"""``growgan import``: a model file of ours comes out that says where it is from; and `load` needs no import."""

from __future__ import annotations

from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch

from growgan.cli.main import main
from growgan.models.native import open_model
from growgan.sampling.model import load

ORIGINS = [kind for kind in foreign_files.MAKERS if kind != "native"]


@pytest.mark.parametrize("kind", ORIGINS)
def test_every_origin_becomes_a_model_file(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "foreign.bin", tmp_path / "ours.safetensors"
    source.write_bytes(foreign_files.MAKERS[kind]())
    assert main(["import", str(source), str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n" and "of 8x8" in said.err
    ours, theirs = load(out), load(source)
    assert np.array_equal(ours.sample(2, kind="numpy"), theirs.sample(2, kind="numpy"))
    assert ours.file.card["imported"]["file"] == "foreign.bin" and ours.file.training == theirs.file.training
    x = torch.randn(4, 3, 8, 8)
    assert torch.equal(open_model(out).network("D")(x)[0], theirs.file.network("D")(x)[0])
    assert open_model(out).has("G") == theirs.file.has("G")


def test_an_existing_file_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "foreign.bin", tmp_path / "ours.safetensors"
    source.write_bytes(foreign_files.pro_gan_pth())
    out.write_bytes(b"old")
    assert main(["import", str(source), str(out)]) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err and out.read_bytes() == b"old"
    assert main(["import", str(source), str(out), "--overwrite", "--swap-colours"]) == 0
    straight, swapped = load(source).sample(1, kind="numpy"), load(out).sample(1, kind="numpy")
    assert np.abs(straight[..., ::-1].astype(int) - swapped).max() <= 1


@pytest.mark.parametrize(
    ("data", "out", "said"),
    [
        (b"", "o.safetensors", "not a file of a supported program"),
        (b"some text", "o.safetensors", "not a file of a supported program"),
        (None, "o.safetensors", "no such model file"),
        (foreign_files.native(), "o.safetensors", "not a file of a supported program"),
        (foreign_files.release(), "o.pt", "OUT must end in .safetensors"),
    ],
)
def test_what_cannot_be_imported(
    tmp_path: Path, data: bytes | None, out: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    if data is not None:
        source.write_bytes(data)
    assert main(["import", str(source), str(tmp_path / out)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not (tmp_path / out).exists()


def test_pictures_straight_from_a_foreign_file(tmp_path: Path) -> None:
    source = tmp_path / "network-snapshot.pkl"
    source.write_bytes(foreign_files.release())
    assert main(["generate", str(source), "--seeds", "0-1", "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["seed0000.png", "seed0001.png"]


@pytest.mark.parametrize("kind", ORIGINS)
def test_info_says_of_a_foreign_file_what_it_says_of_the_imported_one(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "foreign.bin", tmp_path / "ours.safetensors"
    source.write_bytes(foreign_files.MAKERS[kind]())
    assert main(["import", str(source), str(out)]) == 0
    capsys.readouterr()
    shown = []
    for path in (source, out):
        assert main(["info", str(path)]) == 0
        said = capsys.readouterr().out
        shown.append([line for line in said.splitlines() if not line.startswith("model")])
    assert shown[0] == shown[1] and "imported  origin " in said
    assert "{" not in said and "kimg" not in said, "dictionaries as Python writes them, or a length that nobody knows"


def test_info_of_a_damaged_foreign_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "foreign.pkl"
    source.write_bytes(foreign_files.release()[:-100])
    assert main(["info", str(source)]) == 2
    err = capsys.readouterr().err
    assert "cannot be imported" in err and err.count("\n") == 1
