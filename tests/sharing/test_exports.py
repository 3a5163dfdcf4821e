"""ONNX and torch's own programs: the model's images, at every size, in any batch, without its code."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import label_fields

import growgan
from growgan.core.errors import ConfigError, ModelError
from growgan.sampling.latents import draw
from growgan.sampling.onnx_model import OnnxModel
from growgan.sharing import to_onnx, to_program, trace
from growgan.sharing.export import Subject, export

MakeSubject = Callable[..., Subject]
OnnxOf = Callable[[str], tuple[Subject, Path]]


def make(make_subject: MakeSubject, kind: str, **training: Any) -> Subject:
    return make_subject(training=training, snapshot=False, **label_fields(kind))


def images(subject: Subject, z: torch.Tensor, labels: torch.Tensor | None, size: int, psi: float) -> np.ndarray:
    """The contract's words: the first layer's output moved toward its mean, then the rest of G."""
    model = subject.model
    with torch.no_grad():
        x = model.G.first(z, labels)
        mean = model.truncation_mean(labels)
        found: np.ndarray = model.G.synthesize(mean + psi * (x - mean), size).numpy()
    return found


@pytest.mark.parametrize(("kind", "size"), [("none", 16), ("int", 16), ("attributes", 16), ("int", 4)])
def test_onnx_gives_the_models_images(onnx_of: OnnxOf, tmp_path: Path, kind: str, size: int) -> None:
    ort = pytest.importorskip("onnxruntime")
    subject, path = onnx_of(kind)
    if size != 16:
        path = tmp_path / "m.onnx"
        export(subject, path, resolution=size)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for n, psi in ((1, 1.0), (2, 0.5), (7, 1.7)):
        z, labels = draw(range(n), subject.model.spec, subject.model.distribution)
        feeds = {"z": z.numpy()}
        if labels is not None:
            feeds["labels"] = (torch.eye(3)[labels] if labels.dim() == 1 else labels).numpy()
        if psi != 1:
            feeds["psi"] = np.asarray(psi, dtype=np.float32)
        wanted = images(subject, z, labels, size, psi)
        (found,) = session.run(None, feeds)
        assert found.shape == (n, 3, size, size)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert wanted.std() > 0.1


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_a_fade_is_exported_as_it_stands(make_subject: MakeSubject, tmp_path: Path, suffix: str) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    subject = make(make_subject, "none", resolution=8, alpha=0.25)
    out = tmp_path / f"m{suffix}"
    export(subject, out)
    z, _ = draw(range(3), subject.model.spec, {})
    with torch.no_grad():
        wanted, newest = (subject.model.G(z, None, 8, alpha).numpy() for alpha in (0.25, 1.0))
    if suffix == ".onnx":
        found = OnnxModel(out)(z.numpy())
    else:
        found = torch.export.load(out).module()(z, torch.tensor(1.0)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert np.abs(found - newest).max() > 0.1


@pytest.mark.parametrize("kind", ["none", "int"])
def test_a_program_gives_the_models_images_without_growgan(
    make_subject: MakeSubject, tmp_path: Path, kind: str
) -> None:
    subject = make(make_subject, kind)
    export(subject, tmp_path / "m.pt2", resolution=8)
    z, labels = draw(range(5), subject.model.spec, subject.model.distribution)
    given = [z] if labels is None else [z, torch.eye(3)[labels]]
    torch.save([*given, torch.tensor(0.5)], tmp_path / "inputs.pt")
    script = (
        "import sys, torch; program = torch.export.load('m.pt2').module();"
        "torch.save(program(*torch.load('inputs.pt')), 'images.pt'); print('growgan' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    found = torch.load(tmp_path / "images.pt").numpy()
    np.testing.assert_allclose(found, images(subject, z, labels, 8, 0.5), rtol=0, atol=1e-4)
    extra = {"growgan.spec": "", "growgan.training": ""}
    torch.export.load(tmp_path / "m.pt2", extra_files=extra)
    assert json.loads(extra["growgan.training"])["resolution"] == 8
    with pytest.raises(ModelError, match=r"a torch\.export program .*pass the model"):
        growgan.load(tmp_path / "m.pt2")


def test_the_graph_is_plain(onnx_of: OnnxOf) -> None:
    onnx = pytest.importorskip("onnx")
    subject, path = onnx_of("none")
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("ConvTranspose") == 2 and kinds.count("Conv") == 4 and kinds.count("Gemm") == 1
    assert "Resize" not in kinds and "Pad" not in kinds  # no kernel is made when it runs
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in proto.graph.initializer}
    conv = subject.model.G.stage(8).conv1
    np.testing.assert_array_equal(weights["G.8x8.conv1.weight"], (conv.weight * conv.scale).detach().numpy())
    assert not any(name.startswith(("G.4x4.torgb", "G.8x8.torgb")) for name in weights)
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert b"/src/" not in proto.SerializeToString() and b"stack_trace" not in proto.SerializeToString()


@pytest.mark.parametrize("kind", ["none", "int", "attributes"])
def test_pictures_by_seed_are_the_models(onnx_of: OnnxOf, kind: str) -> None:
    subject, path = onnx_of(kind)
    model = growgan.OnnxModel(path)
    wishes: list[dict[str, Any]] = [{}, {"truncation": 0.5}, {"batch": 2}]
    for wish in wishes + ([{"label": 1}] if kind != "none" else []):
        a, b = (m.sample(5, seed=3, kind="numpy", **wish) for m in (model, subject.model))
        assert np.abs(a.astype(int) - b).max() <= 1 and b.std() > 10
    assert model.resolution == 16 and "16x16" in repr(model)
    with pytest.raises(ModelError, match=r"is an ONNX file: open it with growgan\.OnnxModel or"):
        growgan.load(path)


def test_labels_and_latents_are_looked_at(onnx_of: OnnxOf) -> None:
    """onnxruntime would take some of them for others, and say of the rest what only it understands."""
    model = growgan.OnnxModel(onnx_of("int")[1])
    z, labels = model.draw([1, 2])
    assert labels is not None
    for wrong in (labels - 9, labels + 9, labels[:1], labels.astype(float), None):
        with pytest.raises(ConfigError, match="2 pictures of this model take labels"):
            model(z, wrong)
    with pytest.raises(ConfigError, match="this model"):
        model(z[:, 1:], labels)
    with pytest.raises(ConfigError, match="no classes"):
        growgan.OnnxModel(onnx_of("none")[1])(z, labels)


def test_a_model_can_be_sent_to_another_process(onnx_of: OnnxOf) -> None:
    model = growgan.OnnxModel(onnx_of("none")[1])
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.sample(2, kind="numpy"), model.sample(2, kind="numpy"))


def test_generate_needs_no_torch(onnx_of: OnnxOf, tmp_path: Path) -> None:
    subject, path = onnx_of("int")
    script = "import sys; from growgan.cli.main import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    words = ["generate", str(path), "--seeds", "0-2", "--class", "dog", "--truncation", "0.7", "--out", "there"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["there", "False"]
    from PIL import Image

    wanted = subject.model.sample(3, label="dog", truncation=0.7)
    for seed in range(3):
        with Image.open(tmp_path / "there" / f"seed{seed:04d}.png") as picture:
            assert np.abs(np.asarray(picture).astype(int) - np.asarray(wanted[seed])).max() <= 1


@pytest.mark.parametrize(("write", "name"), [(to_onnx.export_onnx, "m.onnx"), (to_program.export_program, "m.pt2")])
def test_an_export_that_differs_is_not_written(
    make_subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any, name: str
) -> None:
    if name == "m.onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    subject = make(make_subject, "none")
    real = trace.folded

    def wrong(*args: Any) -> Any:
        G = real(*args)
        with torch.no_grad():
            G.stage(16).torgb.bias += 3e-4
        return G

    monkeypatch.setattr(trace, "folded", wrong)
    with pytest.raises(ModelError, match=r"gives different pictures from the model \(by 0\.0003"):
        write(subject.model, tmp_path / name, None, {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["origin.safetensors"]


def test_the_model_itself_is_left_alone(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make(make_subject, "none")
    before = {key: value.clone() for key, value in subject.model.G.state_dict().items()}
    export(subject, tmp_path / "m.pt2", resolution=8)
    after = subject.model.G.state_dict()
    assert list(before) == list(after) and all(torch.equal(before[key], after[key]) for key in before)


def test_sizes_that_there_are_not(make_subject: MakeSubject, tmp_path: Path) -> None:
    for size in (2, 12, 32):
        with pytest.raises(ConfigError, match="--resolution must be a power of two from 4 to 16"):
            export(make(make_subject, "none"), tmp_path / "m.pt2", resolution=size)


def test_sizes_that_it_has_not_reached(make_subject: MakeSubject, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--resolution must be a power of two from 4 to 8, not 16"):
        export(make(make_subject, "none", resolution=8, alpha=0.25), tmp_path / "m.pt2", resolution=16)


def test_a_missing_package_is_named(make_subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "PACKAGES", ("torch", "onnx_of_nobody"))
    with pytest.raises(ConfigError, match="needs the package onnx_of_nobody: pip install onnx onnxscript onnxruntime"):
        export(make(make_subject, "none"), tmp_path / "m.onnx")


def test_files_that_are_no_export(onnx_of: OnnxOf, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    _, path = onnx_of("none")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ModelError, match="is not an ONNX file that onnxruntime can run"):
        OnnxModel(tmp_path / "text.onnx")
    proto = onnx.load(path)
    for prop in proto.metadata_props:
        if prop.key == "growgan.spec":
            prop.value = prop.value.replace('"channels": 3', '"channels": 1')
    onnx.save(proto, tmp_path / "lies.onnx")
    with pytest.raises(ModelError, match="not as described"):
        OnnxModel(tmp_path / "lies.onnx")
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="not a growgan model"):
        OnnxModel(tmp_path / "other.onnx")
