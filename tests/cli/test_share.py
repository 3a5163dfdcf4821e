"""info, export and push as commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from growgan.models.native import open_model, save_model
from growgan.sampling.model import load

Growgan = Callable[..., Any]


def test_info_of_a_run(growgan: Growgan, tiny_run: Path) -> None:
    status, out, err = growgan("info", tiny_run)
    assert status == 0 and err == ""
    path = load(tiny_run).file.path
    rows = {line.split("  ")[0].strip(): line for line in out.splitlines()}
    assert str(path) in rows["model"] and "preset tiny" in rows["training"] and "resolution 16" in rows["network"]
    assert "G_ema, G, D in F32" in rows["holds"] and "loss wgan_gp" in rows["training"]
    assert out.count("all layers") == 2 and "swd" in rows["measure"]


def test_info_as_json(growgan: Growgan, tiny_run: Path) -> None:
    found = json.loads(growgan("info", tiny_run, "--json").out)
    file = load(tiny_run).file
    assert found["sha256"] == file.hash and found["training"] == file.training and found["measures"] == file.measures
    network = file.network("D")
    assert found["networks"]["D"]["parameters"] == sum(p.numel() for p in network.parameters())
    layer = found["networks"]["G"]["layers"][0]
    assert set(layer) == {"name", "weight", "output", "parameters", "flops", "used"}


def test_export_and_info_of_what_was_written(growgan: Growgan, labelled_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "discs.safetensors"
    words = ("--license", "cc0-1.0", "--title", "Discs", "--card", "data=Discs, drawn.", "--only", "G_ema")
    status, said, err = growgan("export", labelled_run, out, *words)
    assert status == 0 and said == f"{out}\n" and "by at most" in err
    card = {"license": "cc0-1.0", "title": "Discs", "data": "Discs, drawn."}
    assert open_model(out).card == card
    shown = growgan("info", out).out
    assert "G_ema in F16, truncation mean" in shown and "3 classes: green, red, white" in shown
    assert all(text in shown for text in card.values()) and "D  " not in shown
    assert growgan("generate", out, "--class", "red", "--out", tmp_path / "pictures").status == 0


def test_a_parent_s_licence_goes_along(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    file = load(tiny_run).file
    networks = {name: file.network(name) for name in ("G_ema", "D")}
    begun, out = tmp_path / "begun.safetensors", tmp_path / "out.safetensors"
    save_model(begun, networks, training=file.training | {"parent": {"model": "old", "license": "not for money"}})
    assert growgan("export", begun, out).err.count("\n") == 1
    assert open_model(out).card["license"] == "not for money"
    said = growgan("export", begun, out, "--license", "mit").err
    assert open_model(out).card["license"] == "mit"
    assert said.endswith("note: its parent old is licensed: not for money\n")
    again = growgan("export", out, tmp_path / "again.safetensors", "--license", "cc0-1.0").err
    assert again.endswith("note: it is licensed: mit\nnote: its parent old is licensed: not for money\n")


def test_what_evaluate_found_goes_along(growgan: Growgan, tiny_run: Path, colour_set: Path, tmp_path: Path) -> None:
    path, lines = load(tiny_run).file.path, tmp_path / "measures.jsonl"
    assert growgan("evaluate", path, "--data", colour_set, "--metrics", "swd64", "--out", lines).status == 0
    growgan("export", path, tmp_path / "out.safetensors", "--measures", lines)
    found = open_model(tmp_path / "out.safetensors").measures
    entry = json.loads(lines.read_text())
    assert found[entry["metric"]]["value"] == entry["value"] and str(tmp_path) not in json.dumps(found)


def test_info_and_generate_of_an_onnx_file(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    out = tmp_path / "m.onnx"
    status, said, err = growgan("export", tiny_run, out, "--resolution", "8")
    assert status == 0 and said == f"{out}\n" and "images differ from the model's by at most" in err
    assert "8x8" in growgan("info", out).out and json.loads(growgan("info", out, "--json").out)["resolution"] == 8
    assert growgan("generate", out, "--grid", "3x2", "--out", tmp_path / "g.png").status == 0
    assert "does not support 'tpu'" in growgan("generate", out, "--device", "tpu").refusal()


def test_the_card_before_it_is_sent(growgan: Growgan, tiny_run: Path) -> None:
    status, out, err = growgan("push", tiny_run, "hf://me/discs", "--dry-run")
    assert (
        status == 0
        and out.startswith("---\n")
        and err == "growgan: warning: the card states no licence; add one with --license ID\n"
    )
    assert growgan("push", tiny_run, "hf://me/discs", "--dry-run", "--license", "mit").err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "nothing"], "nothing: no such file"),
        (["info", "hf://me"], "a Hub address is hf://OWNER/NAME"),
        (["export", "RUN", "out.bin"], "must end in one of"),
        (
            ["export", "RUN", "out.safetensors", "--precision", "int8"],
            "--precision must be float16 or float32, not 'int8'",
        ),
        (["export", "RUN", "out.safetensors", "--only", "D"], "invalid choice: 'D'"),
        (["export", "RUN", "out.safetensors", "--card", "shoes=9"], "--card takes FIELD=TEXT"),
        (["export", "RUN", "out.pt2", "--resolution", "5"], "--resolution must be a power of two"),
        (["export", "RUN", "out.pt2", "--precision", "float16"], "hold only G, in float32"),
        (["push", "RUN", "hf://me/discs/x.safetensors"], "is the address of a file"),
        (["push", "RUN", "me/discs"], "a Hub address is hf://OWNER/NAME"),
    ],
)
def test_refusals(growgan: Growgan, tiny_run: Path, words: list[str], message: str) -> None:
    assert message in growgan(*(tiny_run if word == "RUN" else word for word in words)).refusal()
