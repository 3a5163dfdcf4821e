"""Shipped files: small, whole, of the same pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from making import make_nets, make_spec
from safetensors import safe_open

from growgan.core.errors import ConfigError, ModelError
from growgan.models.native import open_model, save_model
from growgan.sampling.model import Model, load
from growgan.sharing.export import Subject, export, open_subject

MakeSubject = Callable[..., Subject]


def test_a_shipped_file_holds_the_average_and_d_in_float16(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject(texts=("license=mit", "title=Discs"))
    out = tmp_path / "out.safetensors"
    said = export(subject, out)
    assert said.startswith("pictures differ from the model's by at most ")
    with safe_open(out, framework="pt") as file:
        names = set(file.keys())
        assert {name.split(".")[0] for name in names} == {"G_ema", "D", "truncation"}
        assert {file.get_tensor(name).dtype for name in names} == {torch.float16}
        metadata = file.metadata()
    G_ema, _ = make_nets(make_spec(), torch.float32, seed=1)
    stored = open_model(out).network("G_ema").state_dict()
    assert all(torch.equal(stored[key], value.half().float()) for key, value in G_ema.state_dict().items())
    assert json.loads(metadata["growgan.card"]) == {"license": "mit", "title": "Discs"}
    assert json.loads(metadata["growgan.measures"]) == {"swd": {"value": 12.5}}
    assert json.loads(metadata["growgan.training"])["growgan"] == "0.0.1"


def test_a_shipped_model_makes_the_same_pictures(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject(training={"resolution": 8, "alpha": 0.25}, num_labels=3)
    said = export(subject, tmp_path / "out.safetensors")
    shipped = load(tmp_path / "out.safetensors")
    assert shipped.resolution == 8 and shipped.G.alpha == 0.25
    a, b = (m.sample(4, batch=1, kind="numpy").astype(int) for m in (shipped, subject.model))
    assert f"by at most {np.abs(a - b).max()} of 255" in said and np.abs(a - b).max() <= 4
    assert a.std() > 10


def test_the_mean_is_in_the_file(make_subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = make_subject(num_labels=2)
    export(subject, tmp_path / "out.safetensors", half=False)
    shipped = load(tmp_path / "out.safetensors")
    monkeypatch.setattr(Model, "_measured_mean", None)  # it is not measured again
    assert torch.equal(shipped.means, subject.model.means) and shipped.means.shape == (2, 8, 4, 4)


def test_only_the_generator(make_subject: MakeSubject, tmp_path: Path) -> None:
    export(make_subject(), tmp_path / "out.safetensors", only="G_ema")
    file = open_model(tmp_path / "out.safetensors")
    assert file.has("G_ema") and not file.has("D") and not file.has("G")
    assert len(load(tmp_path / "out.safetensors").sample(2, truncation=0.5)) == 2


def test_shipping_a_shipped_file_changes_no_byte(make_subject: MakeSubject, tmp_path: Path) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    export(make_subject(texts=("license=mit",)), one)
    export(open_subject(str(one), (), None), two)
    assert one.read_bytes() == two.read_bytes()


def test_a_plain_generator_becomes_the_average(tmp_path: Path) -> None:
    G, _ = make_nets(make_spec(), torch.float32)
    save_model(tmp_path / "in.safetensors", {"G": G}, training={})
    export(open_subject(str(tmp_path / "in.safetensors"), (), None), tmp_path / "out.safetensors")
    assert open_model(tmp_path / "out.safetensors").has("G_ema")


def test_weights_that_float16_cannot_hold(tmp_path: Path) -> None:
    G, _ = make_nets(make_spec(), torch.float32)
    with torch.no_grad():
        G.stage(8).conv1.bias[0] = 70000.0
    save_model(tmp_path / "in.safetensors", {"G_ema": G}, training={})
    subject = open_subject(str(tmp_path / "in.safetensors"), (), None)
    with pytest.raises(ModelError, match=r"G_ema\.8x8\.conv1\.bias has weights that float16 cannot hold"):
        export(subject, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
    export(subject, tmp_path / "out.safetensors", half=False)
    assert load(tmp_path / "out.safetensors").G.stage(8).conv1.bias[0] == 70000


def test_measures_of_this_very_file(make_subject: MakeSubject, tmp_path: Path) -> None:
    hash_ = make_subject().model.file.hash
    line = {"metric": "fid10k", "value": 20.5, "images": 10000, "subject": "/home/me/x", "subject_hash": hash_}
    lines = [
        line | {"against": "/home/me/set.zip", "value": 99.0},
        line | {"against": "/home/me/set.zip"},
        line | {"metric": "kid2048", "subject_hash": "other", "against": "set.zip"},
    ]
    path = tmp_path / "measures.jsonl"
    path.write_text(
        "\n".join(
            [*map(json.dumps, lines), '{"cut'],
        ),
        encoding="utf-8",
    )
    subject = open_subject(str(tmp_path / "origin.safetensors"), (), path)
    assert subject.measures == {
        "swd": {"value": 12.5},
        "fid10k": {"value": 20.5, "images": 10000, "against": "set.zip"},
    }
    path.write_text(json.dumps(lines[2]), encoding="utf-8")
    with pytest.raises(ConfigError, match="has no measure of"):
        open_subject(str(tmp_path / "origin.safetensors"), (), path)
    with pytest.raises(ConfigError, match="cannot read the measures"):
        open_subject(str(tmp_path / "origin.safetensors"), (), tmp_path / "none")


def test_wishes_that_do_not_fit(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject()
    for name, more, message in (
        ("out.pth", {}, r"must end in one of \.safetensors, \.onnx, \.pt2"),
        ("out.safetensors", {"resolution": 8}, "holds every size"),
        ("out.pt2", {"only": "G_ema"}, r"are for \.safetensors"),
        ("out.pt2", {"half": True}, r"are for \.safetensors"),
        ("origin.safetensors", {}, "is the model itself"),
    ):
        with pytest.raises(ConfigError, match=message):
            export(subject, tmp_path / name, **more)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["origin.safetensors"]
