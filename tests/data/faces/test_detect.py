"""Finding faces: the cascade around networks that answer as they should, and with the real weights where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.faces.test_mtcnn import write_weights
from drawn_faces import draw, place
from PIL import Image

from growgan.data.faces import detect
from growgan.data.faces.detect import Detector, Face
from growgan.data.faces.geometry import find_crop
from growgan.data.faces.refine import FEATURES, Refiner
from growgan.data.faces.weights import installed_folder


def see(x: torch.Tensor) -> Any:
    """Landmarks of the drawn face in a window, by the colours of its discs; NaN where one is missing."""
    pixels = x.permute(1, 2, 0).numpy() * 128 + 127.5
    points = []
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    for colour, part in ((red, "left"), (red, "right"), (green, ""), (blue, "left"), (blue, "right")):
        rows, columns = np.nonzero(np.abs(pixels - colour).sum(-1) < 160)
        if not len(rows):
            return None
        if part:
            middle = (columns.min() + columns.max()) / 2
            side = columns < middle if part == "left" else columns >= middle
            rows, columns = rows[side], columns[side]
            if not len(rows):
                return None
        points.append([(columns.mean() + 0.5) / pixels.shape[1], (rows.mean() + 0.5) / pixels.shape[0]])
    return np.array(points)


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The three networks replaced by ones that see drawn faces; the cascade around them is the real one."""

    def judge(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        seen = [see(part) for part in x]
        scores = torch.tensor([0.0 if points is None else 0.95 for points in seen])
        landmarks = [np.zeros(10) if points is None else points.T.ravel() for points in seen]
        boxes = []
        for points in seen:
            if points is None:
                boxes.append([0.0] * 4)
                continue
            (left, top), (right, bottom) = points.min(0), points.max(0)
            size = 1.6 * (bottom - top)
            x0, y0 = (left + right) / 2 - size / 2, (top + bottom) / 2 - size / 2
            boxes.append([x0, y0, x0 + size - 1, y0 + size - 1])
        return scores, torch.tensor(boxes), torch.tensor(np.array(landmarks), dtype=torch.float32)

    def propose(weights: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Every window that a face's size fits is one: the second network has to tell."""
        height, width = ((side - 12) // 2 + 1 for side in x.shape[2:])
        return torch.full((1, height, width), 0.8), torch.zeros(1, 4, height, width)

    monkeypatch.setattr(detect, "propose", propose)
    monkeypatch.setattr(detect, "refine", lambda weights, x: judge(x)[:2])
    monkeypatch.setattr(detect, "output", lambda weights, x: judge(x))
    return write_weights(tmp_path / "weights")


@pytest.mark.parametrize(("smallest", "size", "half"), [(90.0, 200, 24), (300.0, 640, 80)])
def test_landmarks_come_back_to_the_picture(seeing: Path, smallest: float, size: int, half: float) -> None:
    """Through the pyramid, the working size, windows turned upright and mirrored: within 2 hundredths of the crop."""
    landmarks = place(size * 0.52, size * 0.47, half, 12)
    faces = Detector(smallest, seeing, refine=False).detect(draw((size, size), landmarks))
    assert faces and faces[0].confidence == pytest.approx(0.95)
    assert np.abs(faces[0].landmarks - landmarks).max() < 0.02 * find_crop(landmarks).side


def test_mirroring_cancels_what_leans_to_one_side(seeing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = detect.output

    def lean(weights: Any, x: torch.Tensor) -> Any:
        scores, boxes, landmarks = honest(weights, x)
        return scores, boxes, landmarks + torch.tensor([0.1] * 5 + [0.0] * 5)

    monkeypatch.setattr(detect, "output", lean)
    landmarks = place(100, 95, 24)
    faces = Detector(90, seeing, refine=False).detect(draw((200, 200), landmarks))
    assert np.abs(faces[0].landmarks - landmarks).max() < 0.02 * find_crop(landmarks).side


def test_landmarks_are_refined_unless_told_otherwise(seeing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map sees the picture as the detector does, and what it says is brought back to the photograph."""
    larger = Refiner(np.zeros((FEATURES, 4), np.float32), np.array([0, 0, np.log(1.05), 0], np.float32))
    monkeypatch.setattr(Refiner, "load", lambda: larger)
    picture = draw((640, 640), place(330, 300, 80, 12))
    plain, refined = Detector(300, seeing, refine=False), Detector(300, seeing)
    crop, found = (find_crop(detector.detect(picture)[0].landmarks) for detector in (plain, refined))
    assert found.side == pytest.approx(1.05 * crop.side, rel=1e-4)
    assert found.centre == pytest.approx(crop.centre, abs=0.01)
    assert plain.digest != refined.digest


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (15, 15)])
def test_small_pictures_have_no_face(seeing: Path, size: tuple[int, int]) -> None:
    assert Detector(64, seeing).detect(Image.new("RGB", size)) == []


def test_astronauts_need_the_weights() -> None:
    """With the real weights: no face in noise or on plain ground; a face is found where a picture of one is at hand."""
    if installed_folder() is None:
        pytest.skip("facenet-pytorch is not installed")
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    detector = Detector(64)
    assert [face for face in detector.detect(Image.fromarray(noise)) if face.confidence > 0.9] == []
    assert detector.detect(Image.new("RGB", (200, 300), "white")) == []
    face = _cartoon()
    found = [one for one in detector.detect(face) if one.confidence > 0.9]
    assert len(found) == 1 and isinstance(found[0], Face)
    eyes = found[0].landmarks[:2]
    assert eyes[0] == pytest.approx([120, 130], abs=12) and eyes[1] == pytest.approx([180, 130], abs=12)


def _cartoon() -> Image.Image:
    from PIL import ImageDraw, ImageFilter

    image = Image.new("RGB", (300, 320), (90, 110, 130))
    pen = ImageDraw.Draw(image)
    pen.ellipse([70, 40, 230, 270], fill=(70, 45, 30))
    pen.ellipse([85, 65, 215, 265], fill=(222, 180, 150))
    for x in (120, 180):
        pen.ellipse([x - 16, 122, x + 16, 138], fill=(245, 240, 240))
        pen.ellipse([x - 8, 122, x + 8, 138], fill=(40, 30, 30))
        pen.arc([x - 22, 104, x + 22, 130], 200, 340, fill=(60, 40, 30), width=6)
    pen.polygon([(150, 140), (138, 182), (162, 182)], fill=(200, 155, 128))
    pen.ellipse([140, 176, 147, 184], fill=(130, 85, 70))
    pen.ellipse([153, 176, 160, 184], fill=(130, 85, 70))
    pen.chord([120, 195, 180, 230], 0, 180, fill=(170, 70, 75))
    return image.filter(ImageFilter.GaussianBlur(2.5))
