"""One picture: from the bytes of any file to pixels, or a plain reason why it cannot be used."""

from __future__ import annotations

import functools
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

# Only formats that are decoded in this process, without a helper program, and recognised by their first bytes.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
SUFFIXES = tuple(
    ".png .jpg .jpeg .jpe .jfif .webp .gif .bmp .tif .tiff .pgm .ppm .pnm .jp2 .avif .mpo".split()  # noqa: SIM905
)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# On photographs zlib's run-length strategy at level 1 is both faster and smaller than its default at levels 1 to 3
# (CelebA at 128x128: 0.8 ms and 27.6 kB against 1.0 ms and 28.1 kB; level 6 needs 2.8 ms for 26.9 kB).
PNG_OPTIONS: dict[str, Any] = {"compress_level": 1, "compress_type": 3}


LARGER_JPEGS = 2
"""Factor by which a JPEG may exceed Pillow's limit of 89 megapixels, as cameras' do; beyond, Pillow refuses."""
BOMB = "too many pixels, possibly a decompression bomb"
NEARLY_SRGB = 2
"""Largest difference in levels between the many sRGB profiles."""
_ORIENTATION_TAG = 0x0112
_PNG_EXIF = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
# Brands in the first box of a HEIC file, as phones write it (ISO/IEC 23008-12, annex B).
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Rejected(Exception):
    """A picture that cannot be used; the message is the reason, without the picture's name."""


class NoPicture(Rejected):
    """A file that does not begin like a picture."""


class Header(NamedTuple):
    """What is known of a picture before it is decoded; width and height are those of the upright picture."""

    format: str
    width: int
    height: int
    channels: int
    orientation: int


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Silence Pillow's warnings in all threads inside the block; `open_picture` itself refuses decompression bombs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def is_picture_name(name: str) -> bool:
    """Say whether a file name has a picture's suffix."""
    return name.lower().endswith(SUFFIXES)


def open_picture(data: bytes) -> Image.Image:
    """Open a picture without decoding it (except a TIFF). Raises `Rejected` if it cannot be used."""
    if not data:
        raise NoPicture("empty file")
    try:
        image = Image.open(io.BytesIO(data), formats=_list_formats())
    except UnidentifiedImageError as error:
        heic = data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS
        raise NoPicture("HEIC is not supported: convert it to JPEG first" if heic else "not a picture") from error
    except Exception as error:
        raise Rejected(_explain(error)) from error
    most = Image.MAX_IMAGE_PIXELS
    if most and image.width * image.height > most * (LARGER_JPEGS if image.format in ("JPEG", "MPO") else 1):
        raise Rejected(BOMB)
    if image.format == "TIFF":  # Pillow turns it upright when loading; until then its size is unreliable
        load(image)
    return image


def load(image: Image.Image) -> None:
    """Decode the first frame. Raises `Rejected` for a truncated or damaged picture."""
    try:
        image.load()
    except Exception as error:
        raise Rejected(_explain(error)) from error


def read_header(image: Image.Image) -> Header:
    """Return the header of an opened picture."""
    orientation = read_orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    return Header(image.format or "", width, height, count_channels(image), orientation)


def count_channels(image: Image.Image) -> int:
    """Return 1 for greyscale, 4 for RGBA, 3 for anything else, judged by the mode alone."""
    if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;"):
        return 1
    return 4 if image.mode in ("RGBA", "RGBa") else 3


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) to 8; damaged EXIF data count as none."""
    # Pillow decodes a whole PNG to look for EXIF after the pixels; most files have none anywhere.
    file = getattr(image, "fp", None)
    if image.format == "PNG" and isinstance(file, io.BytesIO):
        data = file.getvalue()
        if not any(mark in data for mark in _PNG_EXIF):
            return 1
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:
        return 1
    return orientation if orientation in _UPRIGHT else 1


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture upright according to its EXIF orientation."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def convert(image: Image.Image, channels: int) -> Image.Image:
    """Convert a picture of any mode to 8-bit L, RGB or RGBA; for the first two, transparency is composited over white.

    16-bit greys are scaled, not clipped. Colours with a profile other than sRGB's are converted to sRGB. Raises
    `Rejected` for values without a known range.
    """
    image = _to_srgb(_to_eight_bits(image))
    mode = MODES[channels]
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if channels != 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode == "P":
        image = image.convert("RGB")
    return image.convert(mode)


def pad_to_square(image: Image.Image, how: str) -> Image.Image:
    """Return an L, RGB or RGBA picture centred in a square, the rest filled as `how`, one of `framing.PADS`, says."""
    side = max(image.size)
    left, top = ((side - edge) // 2 for edge in image.size)
    if how in ("black", "white"):
        square = Image.new(image.mode, (side, side), 0 if image.mode == "RGBA" else how)
        square.paste(image, (left, top))
        return square
    rows, columns = (top, side - image.height - top), (left, side - image.width - left)
    pixels = np.asarray(image)
    edges = (rows, columns, (0, 0))[: pixels.ndim]
    return Image.fromarray(np.pad(pixels, edges, mode="edge" if how == "edge" else "symmetric"))


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an L, RGB or RGBA picture as uint8 [C, H, W]."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def to_picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return uint8 [C, H, W] as a picture."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def encode_png(image: Image.Image, **notes: Any) -> bytes:
    """Return a picture as a PNG without the profile, comments and transparency that its source may have had."""
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **PNG_OPTIONS, **notes)
    return buffer.getvalue()


def decode(data: bytes, channels: int, resolution: int) -> NDArray[np.uint8]:
    """Decode a picture of a finished set to uint8 [C, resolution, resolution].

    Raises `Rejected` if it is broken, of another size, or has colours that a set of fewer channels would lose.
    """
    image = open_picture(data)
    if image.size != (resolution, resolution):
        width, height = image.size
        raise Rejected(f"is {width}x{height}, but the dataset is {resolution}x{resolution}")
    if count_channels(image) > channels:
        raise Rejected(f"is {image.mode}, but the dataset is {MODES[channels]}")
    load(image)
    return to_array(convert(image, channels))


def decode_whole(content: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return any whole picture, upright, as uint8 [C, H, W] with its own channels. Raises `Rejected` if unusable."""
    if not isinstance(content, bytes):
        return content
    image = open_picture(content)
    load(image)
    return to_array(convert(turn_upright(image, read_orientation(image)), count_channels(image)))


def has_own_colours(image: Image.Image) -> bool:
    """Say whether an RGB, RGBA or CMYK picture has a colour profile that differs visibly from sRGB."""
    profile = image.info.get("icc_profile")
    return bool(profile) and _find_transform(profile, image.mode) is not None


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    transform = _find_transform(profile, image.mode)
    if transform is None:
        return image
    converted: Image.Image = transform.apply(image)
    converted.info.clear()
    return converted


@functools.lru_cache(maxsize=8)
def _find_transform(profile: bytes, mode: str) -> Any:
    """Return the transform from a profile to sRGB; None if it changes next to nothing or the profile is damaged."""
    if mode not in ("RGB", "RGBA", "CMYK"):
        return None
    try:
        from PIL import ImageCms

        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        wanted = "RGB" if mode == "CMYK" else mode
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, wanted)
    except Exception:  # a profile for another colour space, a damaged one, or a Pillow without colour management
        return None
    if mode == "CMYK":
        return transform
    probe = Image.fromarray(np.indices((6, 6, 6)).reshape(3, 6, -1).transpose(1, 2, 0).astype(np.uint8) * 51)
    probe = probe.convert(mode)
    change = np.asarray(transform.apply(probe), np.int16) - np.asarray(probe, np.int16)
    return transform if np.abs(change).max() > NEARLY_SRGB else None


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise Rejected("floating-point picture with unknown range")
    if image.mode == "I" or image.mode.startswith("I;"):
        values = np.asarray(image).astype(np.float64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise Rejected("32-bit picture with unknown range")
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    return image


@functools.cache
def _list_formats() -> tuple[str, ...]:
    # Pillow raises on a format that this build of it lacks (AVIF, JPEG2000).
    Image.init()
    return tuple(name for name in READABLE if name in Image.OPEN)


def _explain(error: Exception) -> str:
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return BOMB
    known: tuple[type[Any], ...] = (OSError, ValueError, SyntaxError, struct.error)
    text = " ".join(str(error).split()) if isinstance(error, known) else ""
    return f"damaged ({text or type(error).__name__})"
