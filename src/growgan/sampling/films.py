"""Writes sequences of pictures as films: .mp4 and .webm by PyAV, .gif, .webp and .png by Pillow, or a folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from growgan.core.errors import ConfigError, RunError
from growgan.core.files import whole
from growgan.data.image_metadata import metadata_for, said
from growgan.data.pictures import convert
from growgan.sampling.images import save_png

CODECS = {
    ".mp4": ("libx264", {"crf": "18", "preset": "medium"}),
    ".webm": ("libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "1"}),
}
"""Encoders and their settings: a quality at which differences are hardly visible, at whatever bit rate that takes."""
CONTAINERS = {".mp4": {"movflags": "+faststart"}}
"""Settings of formats: with its index in front, a film plays while it is still loading."""
STILLS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
"""Formats of animated pictures, and their names in Pillow."""
SLOWEST, FASTEST = 0.05, {".gif": 50.0}
"""Frames per second. Viewers slow down GIFs whose frames last less than two hundredths of a second."""
MOST = 240.0
"""Frames per second of all other formats."""
WIDEST = 16_383
"""Pixels per side: WebP's limit; no screen is larger."""
MOST_HELD = 2**30
"""Most bytes of distinct frames: Pillow needs them all at once, and two to three times as much memory."""
BT709, LIMITED = 1, 1
"""Codes of a film's colour space, that of high definition, and of its range, 16 to 235."""


def check(path: str | Path, fps: float, count: int = 1, size: tuple[int, int] = (1, 1)) -> None:
    """Raise `ConfigError` if no film can be written to `path`; call it before making any pictures for it.

    count: distinct frames. size: width and height of each.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    most = FASTEST.get(suffix, MOST)
    if not SLOWEST <= fps <= most:
        what = f"a {suffix}" if most < MOST else "a film"
        raise ConfigError(f"--fps of {what} must be between {SLOWEST:g} and {most:g}, not {fps:g}")
    if suffix not in (*CODECS, *STILLS, "") or path.name.lower() in (*CODECS, *STILLS, ""):
        known = ", ".join([*CODECS, *STILLS])
        raise ConfigError(f"a film must be NAME{known.replace(' ', ' NAME')}, or a folder, not {str(path)!r}")
    if suffix and path.is_dir():
        raise ConfigError(f"{path} is a folder")
    if not suffix and path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file; a film without a suffix is written as a folder")
    if max(size) > WIDEST:
        raise ConfigError(
            f"{path.name} would have {size[0]}x{size[1]} pixels, which is too large: at most {WIDEST} per side"
        )
    if suffix in CODECS:
        _av(CODECS[suffix][0])
    elif suffix:
        _check_held(path, 4 * count * size[0] * size[1])


def write(
    path: str | Path,
    frames: Iterable[Image.Image],
    fps: float = 30.0,
    notes: dict[str, str] | None = None,
    first: int = 0,
) -> None:
    """Write a film, whole or not at all; without a suffix a folder of frame00000.png, ...

    frames: pictures of one size, in order; one that is repeated lasts longer. notes: metadata of the file, where its
    format has a place for it. first: number of the first frame in a folder of which earlier ones are `kept`.
    """
    check(path, fps)
    path, notes = Path(path), notes or {}
    suffix = path.suffix.lower()
    frames = iter(frames)
    start = next(frames, None)
    if start is None and not first:
        raise ConfigError("a film needs at least one frame")
    frames = chain([start], frames) if start is not None else iter(())
    if suffix in CODECS:
        _write_movie(path, frames, fps, notes)
    elif suffix in STILLS:
        _write_stills(path, frames, fps, notes)
    else:
        for number, frame in enumerate(frames, first):
            save_png(frame_path(path, number), frame, notes)


def kept(path: Path, notes: dict[str, str]) -> int:
    """The number of first frames already in a folder, made with the same notes. 0 for a film in one file.

    Raises `ConfigError` for a folder with anything else in it, such as frames of another film, so that they are neither
    lost nor mixed with others.
    """
    number, wanted = 0, {f"growgan:{key}": value for key, value in notes.items()}
    while not path.suffix and (found := _notes_of(frame_path(path, number))) is not None:
        if found != wanted:
            raise ConfigError(f"{path} holds frames of another film; use a separate folder")
        number += 1
    if not number and not path.suffix and path.is_dir() and any(not one.name.startswith(".") for one in path.iterdir()):
        raise ConfigError(f"{path} exists and is not empty; use a separate folder")
    return number


def frame_path(folder: Path, number: int) -> Path:
    """The path of a frame in a folder."""
    return folder / f"frame{number:05d}.png"


def frames_in(seconds: float, fps: float) -> int:
    """Frames of a film of this length. Raises `ConfigError` if there are none, or it is longer than a day."""
    if not math.isfinite(seconds * fps) or not 0 < seconds <= 86_400 or round(seconds * fps) < 1:
        raise ConfigError(f"--seconds must give at least one frame and at most a day, not {seconds:g}")
    return round(seconds * fps)


def _notes_of(path: Path) -> dict[str, str] | None:
    """The notes in a frame; None if it is missing or incomplete."""
    try:
        with Image.open(path) as picture:
            picture.load()
            found = dict(getattr(picture, "text", {}))
    except (OSError, SyntaxError, ValueError):  # Pillow's errors for a broken file
        return None
    return {key: str(value) for key, value in found.items() if key.startswith("growgan:")}


def _write_movie(path: Path, frames: Iterator[Image.Image], fps: float, notes: dict[str, str]) -> None:
    suffix = path.suffix.lower()
    codec, options = CODECS[suffix]
    av = _av(codec)
    with whole(path) as temporary:
        try:
            # FFmpeg takes a relative name containing a colon for a URL.
            with av.open(str(temporary.resolve()), "w", format=suffix[1:], options=CONTAINERS.get(suffix, {})) as film:
                film.metadata["comment"] = said(notes)
                stream = None
                for picture in frames:
                    picture = _even(picture)
                    if stream is None:
                        stream = film.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
                        _describe(stream, picture)
                    frame = av.VideoFrame.from_image(picture)
                    frame = frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
                    film.mux(stream.encode(frame))
                if stream is not None:
                    film.mux(stream.encode())
        except av.error.FFmpegError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error


def _describe(stream: Any, picture: Image.Image) -> None:
    """Set size and colours: players guess the latter from the size, often wrongly."""
    stream.width, stream.height = picture.size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED


def _even(picture: Image.Image) -> Image.Image:
    """The picture in colour, with the even sides that films require: a last row or column is duplicated."""
    picture = convert(picture, 3)
    width, height = picture.size
    if width % 2 == height % 2 == 0:
        return picture
    larger = Image.new("RGB", (width + width % 2, height + height % 2))
    for place in ((width % 2, height % 2), (0, height % 2), (width % 2, 0), (0, 0)):
        larger.paste(picture, place)
    return larger


def _write_stills(path: Path, frames: Iterator[Image.Image], fps: float, notes: dict[str, str]) -> None:
    kind = STILLS[path.suffix.lower()]
    unit = 10 if kind == "GIF" else 1  # GIF counts in hundredths of a second
    pictures: list[Image.Image] = []
    lasts: list[int] = []
    held = end = number = 0
    for number, picture in enumerate(frames, 1):
        before, end = end, unit * round(1000 * number / fps / unit)
        if pictures and picture is pictures[-1]:
            lasts[-1] += end - before
            continue
        held += picture.width * picture.height * len(picture.getbands())
        _check_held(path, held)
        pictures.append(picture)
        lasts.append(end - before)
    quality = {"quality": 90} if kind == "WEBP" else {}
    with whole(path) as temporary:
        try:
            pictures[0].save(
                temporary,
                format=kind,
                save_all=True,
                append_images=pictures[1:],
                duration=lasts if len(lasts) > 1 else lasts[0],
                loop=0,
                **quality,
                **metadata_for(kind, notes),
            )
        except (OverflowError, RuntimeError, ValueError) as error:  # beyond the format's range
            raise RunError(f"cannot write {path}: {error}") from error


def _check_held(path: Path, held: int) -> None:
    if held > MOST_HELD:
        size = f"{held / 2**30:.1f} GiB of frames"
        raise ConfigError(f"{path.name} would have {size}, all in memory at once; .mp4, .webm or a folder need little")


def _av(codec: str) -> Any:
    try:
        import av
    except ImportError:
        raise ConfigError(".mp4 and .webm need the package av: pip install av; .gif needs nothing") from None
    try:
        av.Codec(codec, "w")
    except ValueError:
        raise ConfigError(f"this build of av has no encoder {codec}; .gif needs none") from None
    return av
