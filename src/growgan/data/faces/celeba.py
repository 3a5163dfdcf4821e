"""CelebA in the wild on disk, as its authors and the release of CelebA-HQ lay it out: img_celeba/ and Anno/."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from growgan.core.errors import DataError
from growgan.data.faces.geometry import Crop, find_crop
from growgan.data.faces.landmarks import read_landmarks
from growgan.data.pictures import Rejected, convert, load, open_picture

PICTURES = ("img_celeba", "Img/img_celeba")
LANDMARKS = ("Anno/list_landmarks_celeba.txt", "list_landmarks_celeba.txt", "list_landmarks_celeba.csv")


class WildCelebA:
    """The pictures that have landmarks, by name, in the order of their names."""

    def __init__(self, path: Path) -> None:
        """Raise `DataError` if pictures or landmarks are missing."""
        self.path = path
        self.pictures = _find(path, PICTURES, "the folder img_celeba with CelebA's in-the-wild pictures")
        self.landmarks = read_landmarks(_find(path, LANDMARKS, "Anno/list_landmarks_celeba.txt"))
        self.names = sorted(self.landmarks.faces)

    def read(self, name: str) -> bytes:
        """Return the bytes of a picture's file. Raises `Rejected` if it cannot be read."""
        try:
            return (self.pictures / name).read_bytes()
        except OSError as error:
            raise Rejected(f"cannot be read ({error.strerror})") from error

    def open(self, data: bytes) -> Image.Image:
        """Return a picture as RGB, not turned upright: the landmarks refer to the pixels as stored."""
        image = open_picture(data)
        load(image)
        return convert(image, 3)

    def find_crop(self, name: str) -> Crop:
        """Return CelebA-HQ's crop of a picture. Raises `Rejected` if there is none."""
        if name not in self.landmarks.faces:
            raise Rejected(f"has no line in {self.landmarks.path.name}")
        return find_crop(self.landmarks.faces[name][0].landmarks)


def _find(path: Path, names: tuple[str, ...], what: str) -> Path:
    for name in names:
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: does not hold {what}")
