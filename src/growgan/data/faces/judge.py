"""Which faces of a picture go into the set, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from growgan.core.errors import ConfigError
from growgan.data.faces.crop import crop_face, glance
from growgan.data.faces.detect import Face
from growgan.data.faces.geometry import Crop, find_crop
from growgan.data.faces.spectrum import measure_sharpness
from growgan.data.pictures import Rejected

Find = Callable[[str, Image.Image], list[Face]]
"""From a picture's name and its upright RGB pixels to its faces."""

VIEW = 96
"""Side in pixels of the pictures on a contact sheet."""

KEPT, TOO_SMALL = "kept", "too small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The requirements on a face. Raises `ConfigError` for impossible ones.

    resolution: of the set. min_size: side of the crop in the photograph, pixels. min_confidence: the detector's
    probability. min_inside: share of the crop that lies inside the photograph. min_sharpness: `spectrum`'s measure of
    the finished face. most: at most this many faces per photograph, the largest (None: all).
    """

    resolution: int
    min_size: float
    min_confidence: float = 0.9
    min_inside: float = 0.5
    min_sharpness: float = 0.08
    most: int | None = None

    def __post_init__(self) -> None:
        if not self.min_size > 0:
            raise ConfigError(f"--min-size {self.min_size:g}: must be above 0")
        for name in ("min_confidence", "min_inside", "min_sharpness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--{name.replace('_', '-')} {getattr(self, name):g}: must be between 0 and 1")
        if self.most is not None and self.most < 1:
            raise ConfigError(f"--faces {self.most}: must be at least 1")


@dataclass(slots=True)
class Verdict:
    """The verdict on one face, or on a picture without one: `reason` is `KEPT` or a fault, `detail` its number.

    `picture` is the finished face if it is kept; `view` goes onto the contact sheet.
    """

    name: str
    reason: str
    detail: str = ""
    face: Face | None = None
    crop: Crop | None = None
    inside: float = 0.0
    sharpness: float | None = None
    picture: Image.Image | None = None
    view: Image.Image | None = None


def judge_picture(name: str, image: Image.Image, find: Find, rules: Rules) -> list[Verdict]:
    """Return a verdict on each face of an upright RGB picture, the largest first, or one that there is none."""
    found = []
    for face in find(name, image):
        try:
            found.append((face, find_crop(face.landmarks)))
        except Rejected:
            continue
    if not found:
        view = image.copy()
        view.thumbnail((VIEW, VIEW), reducing_gap=2.0)
        return [Verdict(name, "no face", view=view)]
    found.sort(key=lambda pair: -pair[1].side)
    verdicts: list[Verdict] = []
    for face, crop in found:
        full = rules.most is not None and sum(verdict.reason == KEPT for verdict in verdicts) >= rules.most
        verdict = Verdict(name, "", face=face, crop=crop, inside=crop.find_share_inside(*image.size))
        _judge(verdict, image, face, crop, rules, full)
        verdicts.append(verdict)
    return verdicts


def _judge(verdict: Verdict, image: Image.Image, face: Face, crop: Crop, rules: Rules, full: bool) -> None:
    if face.confidence < rules.min_confidence:
        verdict.reason, verdict.detail = "unsure", f"{face.confidence:.2f}"
    elif crop.side < rules.min_size:
        verdict.reason, verdict.detail = TOO_SMALL, f"{crop.side:.0f}"
    elif verdict.inside < rules.min_inside:
        verdict.reason, verdict.detail = "beyond the edge", f"{1 - verdict.inside:.0%}"
    elif full:
        verdict.reason, verdict.detail = "one too many", f"{crop.side:.0f}"
    else:
        picture = crop_face(image, crop, rules.resolution)
        verdict.sharpness = measure_sharpness(picture)
        verdict.detail = f"{verdict.sharpness:.2f}"
        if verdict.sharpness < rules.min_sharpness:
            verdict.reason = "blurred"
        else:
            verdict.reason, verdict.picture = KEPT, picture
            verdict.view = picture.resize((VIEW, VIEW), Image.Resampling.BOX, reducing_gap=None)
            return
    verdict.view = glance(image, crop, VIEW)
