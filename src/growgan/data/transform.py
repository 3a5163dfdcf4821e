"""From the bytes of any picture to the bytes of a set's picture: upright, framed, resized, in one format."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image

from growgan.core.errors import DataError
from growgan.data.framing import Box, Framing, check_resolution, find_side
from growgan.data.pictures import (
    MODES,
    Rejected,
    convert,
    encode_png,
    has_own_colours,
    load,
    open_picture,
    pad_to_square,
    read_header,
    read_orientation,
    to_picture,
    turn_upright,
)
from growgan.data.sources import Content

SUFFIXES = {"png": ".png", "webp": ".webp", "jpg": ".jpg"}
DEFAULT_QUALITY = 95
SMALLER = "smaller than"
"""Beginning of the reason for which small pictures are skipped."""
KEPT_FOR_LANCZOS = 4
FLIPPED_ACROSS, FLIPPED_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)
"""EXIF orientations in which the upright left, or top, is the end of a stored row or column."""


@dataclass(frozen=True, slots=True)
class Made:
    """A picture of the set: file bytes, the matching suffix, and whether they are the source's own."""

    data: bytes
    suffix: str
    copied: bool
    digest: bytes
    """Equal for equal pixels; for copied pictures, equal for equal files."""


class _Opened(NamedTuple):
    """A decoded picture, not yet upright; the box used once it is, and the factor by which decoding has shrunk it."""

    image: Image.Image
    orientation: int
    box: Box
    shrunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """The processing of every picture. Raises `DataError` for invalid settings."""

    resolution: int
    channels: int
    framing: Framing
    format: str = "png"
    quality: int | None = None
    upscale: bool = False

    def __post_init__(self) -> None:
        check_resolution(self.resolution)
        if self.channels not in MODES:
            raise DataError(f"--channels {self.channels}: must be 1 (grey), 3 (RGB) or 4 (RGB with alpha)")
        check_format(self.format, self.quality)
        # WebP has no greyscale, and its encoder drops an opaque alpha channel: the set would mix modes.
        if (self.format == "jpg" and self.channels == 4) or (self.format == "webp" and self.channels != 3):
            raise DataError(f"--format {self.format} cannot hold {MODES[self.channels]} pictures; use png")

    def apply(self, content: Content) -> Made:
        """Return the set's picture made from a file's bytes or from pixels. Raises `Rejected` if it cannot be used."""
        opened = self._open(content)
        if isinstance(content, bytes) and self._may_copy(opened.image, content):
            suffix = ".jpg" if opened.image.format == "JPEG" else ".png"
            return Made(content, suffix, True, _digest(content))
        image = self._finish(opened)
        return Made(encode(image, self.format, self.quality), SUFFIXES[self.format], False, _digest(image.tobytes()))

    def picture(self, content: Content) -> Image.Image:
        """Return the processed picture without encoding it. Raises `Rejected` if it cannot be used."""
        return self._finish(self._open(content))

    def _open(self, content: Content) -> _Opened:
        image = open_picture(content) if isinstance(content, bytes) else to_picture(content)
        header = read_header(image)
        box = self.framing.find_box(header.width, header.height)
        side = find_side(box)
        if side < self.resolution and not self.upscale:
            raise Rejected(f"{SMALLER} {self.resolution}x{self.resolution}")
        stored = image.size
        shrunk = self._shrink_while_decoding(image, side)
        if shrunk > 1:
            box = _shift_box(box, stored, image.size, shrunk, header.orientation)
        load(image)
        return _Opened(image, header.orientation, box, shrunk)

    def _finish(self, opened: _Opened) -> Image.Image:
        upright = turn_upright(opened.image, opened.orientation)
        return self._frame(convert(upright, self.channels), opened.box, opened.shrunk)

    def _shrink_while_decoding(self, image: Image.Image, side: int) -> int:
        """Let a large JPEG be decoded at a half, a quarter or an eighth; return by which factor it became smaller.

        A factor of 4 or more is left to Lanczos, which keeps the result within 2 levels of a full decoding, 4 in very
        noisy pictures (57 dB at 16 megapixels), and takes a third to a half of the time.
        """
        if image.format != "JPEG" or side < 2 * KEPT_FOR_LANCZOS * self.resolution:
            return 1
        width, height = image.size
        wanted = KEPT_FOR_LANCZOS * self.resolution
        image.draft(None, (math.ceil(width * wanted / side), math.ceil(height * wanted / side)))
        return round(width / image.width)

    def _frame(self, image: Image.Image, box: Box, shrunk: int) -> Image.Image:
        if self.framing.pad is not None:
            left, top, right, bottom = (edge // shrunk for edge in box)
            part = (left, top, max(left + 1, right), max(top + 1, bottom))
            image = pad_to_square(self._shortened(image.crop(part)), self.framing.pad)
            box, shrunk = (0, 0, *image.size), 1
        if find_side(box) == self.resolution:
            return image.crop(box)
        size = (self.resolution, self.resolution)
        edges = (box[0] / shrunk, box[1] / shrunk, box[2] / shrunk, box[3] / shrunk)
        return image.resize(size, Image.Resampling.LANCZOS, box=edges)

    def _shortened(self, image: Image.Image) -> Image.Image:
        """Return a picture that is to be padded, smaller if its square would take more memory than any picture may."""
        side = max(image.size)
        if side**2 <= (Image.MAX_IMAGE_PIXELS or side**2):
            return image
        return image.reduce(max(2, side // (KEPT_FOR_LANCZOS * self.resolution)))

    def _may_copy(self, image: Image.Image, data: bytes) -> bool:
        """Say whether a decoded picture already meets the set's requirements, so that its bytes can be kept."""
        if image.size != (self.resolution, self.resolution) or image.mode != MODES[self.channels]:
            return False
        if self.framing.crop is not None and self.framing.find_box(*image.size) != (0, 0, *image.size):
            return False
        if read_orientation(image) != 1 or has_own_colours(image):
            return False
        if image.format == "JPEG":
            return True
        # Pillow presents 16-bit PNGs as 8-bit ones: byte 24, in IHDR, tells. An animated one is many pictures.
        plain = image.format == "PNG" and data[24] == 8 and not getattr(image, "is_animated", False)
        return plain and self.format == "png" and "transparency" not in image.info


def encode(image: Image.Image, format: str, quality: int | None = None, **notes: Any) -> bytes:
    """Return the encoded file of a set's picture. format: a key of `SUFFIXES`. quality: as `check_format` requires.

    notes: Pillow's options for metadata (`growgan.data.image_metadata`).
    """
    if format == "png":
        return encode_png(image, **notes)
    buffer = io.BytesIO()
    options = {"quality": quality or DEFAULT_QUALITY, **notes}
    if format == "jpg":
        image.save(buffer, "JPEG", subsampling=0, **options)
    else:
        image.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def _shift_box(box: Box, stored: tuple[int, int], decoded: tuple[int, int], shrunk: int, orientation: int) -> Box:
    """Return a box of the upright picture, in its pixels, for the same picture decoded at a fraction of its size.

    The decoded size is rounded up to whole pixels at the stored right and bottom, which turning may move to the left
    and top.
    """
    surplus = [small * shrunk - large for small, large in zip(decoded, stored)]
    across, down = surplus if orientation < 5 else surplus[::-1]
    across *= orientation in FLIPPED_ACROSS
    down *= orientation in FLIPPED_DOWN
    return box[0] + across, box[1] + down, box[2] + across, box[3] + down


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def check_format(format: str, quality: int | None) -> None:
    """Raise `DataError` unless the format is known and the quality makes sense for it."""
    if format not in SUFFIXES:
        raise DataError(f"--format {format}: must be one of {', '.join(SUFFIXES)}")
    if quality is not None and format == "png":
        raise DataError("--quality is for webp and jpg; png is lossless")
    if quality is not None and not 1 <= quality <= 100:
        raise DataError(f"--quality {quality}: must be between 1 and 100")
