"""The cascade's networks against plain loops, and its arithmetic of boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import celebahq_plain as plain
from torch import Tensor

from growgan.core.errors import ModelError
from growgan.data.faces import mtcnn, weights
from growgan.data.faces.boxes import make_square, move, suppress
from growgan.data.faces.detect import Detector

CONVS = {
    "pnet": [(10, 3, 3), (16, 10, 3), (32, 16, 3)],
    "rnet": [(28, 3, 3), (48, 28, 3), (64, 48, 2)],
    "onet": [(32, 3, 3), (64, 32, 3), (64, 64, 3), (128, 64, 2)],
}
DENSE = {"pnet": {}, "rnet": {"dense4": (128, 576)}, "onet": {"dense5": (256, 1152)}}
HEADS = {
    "pnet": {"conv4_1": (2, 32, 1, 1), "conv4_2": (4, 32, 1, 1)},
    "rnet": {"dense5_1": (2, 128), "dense5_2": (4, 128)},
    "onet": {"dense6_1": (2, 256), "dense6_2": (4, 256), "dense6_3": (10, 256)},
}


def make_weights(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Random weights of the shapes that the files have."""
    random = torch.Generator().manual_seed(seed)
    shapes = {f"conv{n}": (o, i, k, k) for n, (o, i, k) in enumerate(CONVS[name], 1)} | DENSE[name] | HEADS[name]
    found = {}
    for layer, shape in shapes.items():
        fan_in = int(np.prod(shape[1:]))
        found[f"{layer}.weight"] = torch.randn(shape, generator=random) / fan_in**0.5
        found[f"{layer}.bias"] = 0.3 * torch.randn(shape[0], generator=random)
        if layer not in HEADS[name]:
            number = layer.removeprefix("conv").removeprefix("dense")
            found[f"prelu{number}.weight"] = 0.5 * torch.rand(shape[0], generator=random)
    return found


def write_weights(folder: Path) -> Path:
    folder.mkdir()
    for name in CONVS:
        torch.save(make_weights(name), folder / f"{name}.pt")
    return folder


@pytest.mark.parametrize(
    ("name", "run", "oracle", "size"),
    [
        ("pnet", mtcnn.propose, plain.pnet, (17, 14)),
        ("rnet", mtcnn.refine, plain.rnet, (24, 24)),
        ("onet", mtcnn.output, plain.onet, (48, 48)),
    ],
)
def test_networks(name: str, run: Any, oracle: Any, size: tuple[int, int]) -> None:
    own = make_weights(name)
    x = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(5)) * 2 - 1
    found = run(own, x)
    wanted = oracle({key: value.double().numpy() for key, value in own.items()}, x[0].double().numpy())
    for a, b in zip(found, wanted, strict=True):
        assert a[0].numpy() == pytest.approx(b, abs=1e-5)


def test_the_first_network_looks_every_other_pixel() -> None:
    own = make_weights("pnet")
    x = torch.rand((1, 3, 40, 36), generator=torch.Generator().manual_seed(6))
    scores, _ = mtcnn.propose(own, x)
    part = x[:, :, 6 : 6 + mtcnn.WINDOW[0], 10 : 10 + mtcnn.WINDOW[0]]
    assert scores[0, 6 // mtcnn.STRIDE, 10 // mtcnn.STRIDE] == pytest.approx(
        mtcnn.propose(own, part)[0].item(), abs=1e-6
    )


def test_the_best_of_overlapping_boxes_is_kept() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [2, 2, 6, 6]], float)
    scores = np.array([0.8, 0.9, 0.1, 0.7])
    # The first two share 81 of 119; the last lies in both, but is small.
    assert suppress(boxes, scores, 0.5, "union").tolist() == [1, 3, 2]
    assert suppress(boxes, scores, 0.7, "union").tolist() == [1, 0, 3, 2]
    assert suppress(boxes, scores, 0.5, "smaller").tolist() == [1, 2]
    assert suppress(boxes[:0], scores[:0], 0.5, "union").tolist() == []


def test_boxes_move_in_their_own_units() -> None:
    boxes = np.array([[10, 20, 30, 60]], float)
    assert move(boxes, np.array([[0.5, -0.25, 0, 0.1]])).tolist() == [[20, 10, 30, 64]]
    assert make_square(boxes).tolist() == [[0, 20, 40, 60]]


def test_weights_that_are_missing_or_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "installed_folder", lambda: None)
    with pytest.raises(ModelError, match=r"install them with `pip install --no-deps facenet-pytorch==2\.6\.0`"):
        Detector(64)
    with pytest.raises(ModelError, match=r"pnet\.pt: cannot be read"):
        Detector(64, tmp_path)
    folder = write_weights(tmp_path / "weights")
    Detector(64, folder)
    monkeypatch.setattr(weights, "installed_folder", lambda: folder)
    with pytest.raises(ModelError, match="not the file of facenet-pytorch"):
        Detector(64)
    torch.save({"conv1.weight": torch.zeros(3)}, folder / "rnet.pt")
    with pytest.raises(ModelError, match="not the weights of MTCNN"):
        Detector(64, folder)
    (folder / "rnet.pt").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"rnet\.pt: holds no network weights"):
        Detector(64, folder)
