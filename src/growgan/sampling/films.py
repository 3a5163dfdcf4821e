"""Pictures that follow each other, as a film: .mp4 and .webm by PyAV, .gif, .webp and .png by Pillow, or a folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from growgan.core.errors import ConfigError, RunError
from growgan.core.files import whole
from growgan.sampling.images import png_notes, save_png

CODECS = {
    ".mp4": ("libx264", {"crf": "18", "preset": "medium", "movflags": "+faststart"}),
    ".webm": ("libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "1"}),
}
"""Encoders and their settings: a quality at which differences are hardly seen, whatever rate of bits that takes."""
STILLS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
"""Formats of pictures that may move, and their names in Pillow."""
MOST_HELD = 2**31
"""Bytes of frames that Pillow may hold, which needs them all at once."""
BT709 = 1
"""The number of these colours, those of high definition, in every field of a film that names its colours."""


def check(path: str | Path, fps: float) -> None:
    """Raise `ConfigError` if no film can be written to `path`: before any picture is made for it."""
    path = Path(path)
    if not 0 < fps <= 240:
        raise ConfigError(f"--fps must be above 0 and at most 240, not {fps:g}")
    suffix = path.suffix.lower()
    if suffix in CODECS:
        _av()
    elif suffix and suffix not in STILLS:
        known = ", ".join([*CODECS, *STILLS])
        raise ConfigError(f"a film is written as {known}, or into a folder, not as {path.name}")
    elif suffix and path.is_dir():
        raise ConfigError(f"{path} is a folder")
    elif not suffix and path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file; a film without a suffix goes into a folder")


def write(
    path: str | Path, frames: Iterable[Image.Image], count: int, fps: float = 30.0, notes: dict[str, str] | None = None
) -> None:
    """Write a film of `count` frames, whole or not at all; without a suffix a folder of frame00000.png, ...

    frames: pictures of one size, in order. notes: what the file says of itself, where its format has a place for that.
    For a folder `frames` begin with the first one that is not `kept` there: so goes on what was stopped.
    """
    check(path, fps)
    path, notes = Path(path), notes or {}
    suffix = path.suffix.lower()
    if suffix in CODECS:
        _write_movie(path, frames, fps, notes)
    elif suffix in STILLS:
        _write_stills(path, iter(frames), count, fps, notes)
    else:
        for number, frame in enumerate(frames, kept(path, notes)):
            save_png(frame_path(path, number), frame, notes)


def kept(path: Path, notes: dict[str, str]) -> int:
    """How many first frames of a folder are there, made with the same notes. 0 for a film in one file."""
    number = 0
    while not path.suffix and _has_notes(frame_path(path, number), notes):
        number += 1
    return number


def frame_path(folder: Path, number: int) -> Path:
    """Where a frame of a folder lies."""
    return folder / f"frame{number:05d}.png"


def _has_notes(path: Path, notes: dict[str, str]) -> bool:
    try:
        with Image.open(path) as picture:
            found = getattr(picture, "text", {})
    except OSError:
        return False
    return all(found.get(f"growgan:{key}") == value for key, value in notes.items())


def _write_movie(path: Path, frames: Iterable[Image.Image], fps: float, notes: dict[str, str]) -> None:
    av = _av()
    suffix = path.suffix.lower()
    codec, options = CODECS[suffix]
    with whole(path) as temporary:
        try:
            with av.open(str(temporary), "w", format=suffix[1:]) as film:
                film.metadata["comment"] = _said(notes)
                stream = None
                for picture in frames:
                    picture = _even(picture)
                    if stream is None:
                        stream = film.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
                        _describe(stream, picture)
                    frame = av.VideoFrame.from_image(picture)
                    film.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=1)))
                if stream is not None:
                    film.mux(stream.encode())
        except av.error.FFmpegError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error


def _describe(stream: Any, picture: Image.Image) -> None:
    """Size and colours: players guess the latter by the size, and often wrongly."""
    stream.width, stream.height = picture.size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = 1  # from 16 to 235, as films are


def _even(picture: Image.Image) -> Image.Image:
    """In colour, with even sides, which films have: a last row or column is doubled."""
    picture = picture.convert("RGB")
    width, height = picture.size
    if width % 2 or height % 2:
        whole_ = Image.new("RGB", (width + width % 2, height + height % 2))
        for place in ((width % 2, height % 2), (0, height % 2), (width % 2, 0), (0, 0)):
            whole_.paste(picture, place)
        picture = whole_
    return picture


def _write_stills(path: Path, frames: Iterator[Image.Image], count: int, fps: float, notes: dict[str, str]) -> None:
    first = next(frames)
    held = count * first.width * first.height * len(first.getbands())
    if held > MOST_HELD:
        raise ConfigError(f"{path.name} would hold {held / 2**30:.1f} GiB of frames at once; .mp4 holds a few")
    unit = 10 if path.suffix.lower() == ".gif" else 1  # GIF counts in hundredths of a second
    ends = [unit * round(1000 * (number + 1) / fps / unit) for number in range(count)]
    lasts = [max(unit, end - start) for start, end in zip([0, *ends], ends)]
    kind = STILLS[path.suffix.lower()]
    more: dict[str, dict[str, Any]] = {
        "GIF": {"comment": _said(notes)},
        "WEBP": {"quality": 90},
        "PNG": {"pnginfo": png_notes(notes)},
    }
    with whole(path) as temporary:
        first.save(
            temporary,
            format=kind,
            save_all=True,
            append_images=list(frames),
            duration=lasts if count > 1 else lasts[0],
            loop=0,
            **more[kind],
        )


def _said(notes: dict[str, str]) -> str:
    return "growgan: " + ", ".join(f"{key} {value}" for key, value in notes.items())


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise ConfigError(
            ".mp4 and .webm need the package av: pip install 'growgan[video]'; .gif needs nothing"
        ) from None
    return av


def frames_in(seconds: float, fps: float) -> int:
    """Frames of a film so long. Raises `ConfigError` for one without any, or of more than a day."""
    if not math.isfinite(seconds) or not 0 < seconds <= 86_400 or round(seconds * fps) < 1:
        raise ConfigError(f"--seconds must give at least one frame and at most a day, not {seconds:g}")
    return round(seconds * fps)
