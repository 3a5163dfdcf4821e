"""Models to share: every kind of label, in the middle of a fade, with and without a mean in the file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from making import label_fields, make_nets, make_spec

from growgan.models.native import save_model
from growgan.sharing.export import Subject, export, open_subject

MakeSubject = Callable[..., Subject]
TRAINING: dict[str, Any] = {"growgan": "0.0.1", "nimg": 1234, "preset": "tiny"}


@pytest.fixture
def make_subject(tmp_path: Path) -> MakeSubject:
    """A snapshot with all three networks, opened for sharing."""

    return partial(write_subject, tmp_path / "origin.safetensors")


def write_subject(
    path: Path,
    *,
    training: dict[str, Any] | None = None,
    texts: tuple[str, ...] = (),
    snapshot: bool = True,
    **fields: Any,
) -> Subject:
    G, D = make_nets(make_spec(**fields), torch.float32)
    G_ema, _ = make_nets(make_spec(**fields), torch.float32, seed=1)
    networks = {"G_ema": G_ema, "G": G, "D": D} if snapshot else {"G_ema": G_ema}
    save_model(path, networks, training=TRAINING | (training or {}), measures={"swd": {"value": 12.5}})
    return open_subject(str(path), texts, None)


@pytest.fixture(scope="session")
def onnx_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Subject, Path]]:
    """A model with this kind of labels and its .onnx file, exported once. To be read only."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")

    @cache
    def make(kind: str) -> tuple[Subject, Path]:
        folder = tmp_path_factory.mktemp(kind)
        training = {
            "none": {},
            "int": {"class_names": ["cat", "dog", "cow"]},
            "attributes": {"labels": {"rows": [[1.0, 0.0, 0.5], [0.0, 1.0, 1.0]]}},
        }[kind]
        subject = write_subject(folder / "origin.safetensors", training=training, snapshot=False, **label_fields(kind))
        export(subject, folder / "m.onnx")
        return subject, folder / "m.onnx"

    return make
