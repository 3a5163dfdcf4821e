"""Films: every format holds its frames, its pace and its colours, and is whole or not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from growgan.core.errors import ConfigError, RunError
from growgan.sampling import films

COLOURS = [(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 240), (128, 128, 128), (0, 0, 0), (200, 150, 120)]
NOTES = {"model": "abc", "seed": "3"}


def pictures(size: tuple[int, int] = (65, 33)) -> Iterator[Image.Image]:
    for colour in COLOURS:
        yield Image.new("RGB", size, colour)


def decoded(path: Path) -> tuple[list[np.ndarray], float, str]:
    """Frames, seconds, and what the file says of itself."""
    if path.suffix in films.CODECS:
        av = pytest.importorskip("av")
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            said = " ".join(film.metadata.values())
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
            return frames, float(len(frames) / stream.average_rate), said
    frames, seconds = [], 0.0
    with Image.open(path) as film:
        said = str(film.info)
        for number in range(getattr(film, "n_frames", 1)):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB")))
            seconds += film.info.get("duration", 0) / 1000
    return frames, seconds, said


@pytest.mark.parametrize("suffix", [*films.CODECS, *films.STILLS])
def test_every_format_holds_frames_pace_and_colours(suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    path = tmp_path / "new" / f"film{suffix.upper() if suffix == '.gif' else suffix}"
    films.write(path, pictures(), len(COLOURS), 30, NOTES)
    frames, seconds, said = decoded(path.rename(path.with_suffix(suffix)))
    assert len(frames) == len(COLOURS) and seconds == pytest.approx(len(COLOURS) / 30, abs=0.005)
    for frame, colour in zip(frames, COLOURS, strict=True):
        height, width, _ = frame.shape
        assert (width - 65, height - 33) in ((0, 0), (1, 1))
        assert np.abs(frame.astype(int) - colour).max() <= 6
    assert suffix == ".webp" or "abc" in said
    assert [entry.name for entry in tmp_path.joinpath("new").iterdir()] == [f"film{suffix}"]


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ".png"])
def test_grey_and_transparent_frames(mode: str, suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    path = tmp_path / f"film{suffix}"
    films.write(path, (picture.convert(mode) for picture in pictures((32, 32))), len(COLOURS), 10, NOTES)
    assert len(decoded(path)[0]) == len(COLOURS)


def test_a_folder_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    films.write(path, pictures(), len(COLOURS), 30, NOTES)
    assert films.kept(path, NOTES) == len(COLOURS)
    assert films.kept(path, NOTES | {"seed": "4"}) == 0
    films.frame_path(path, 4).write_bytes(b"half a picture")
    assert films.kept(path, NOTES) == 4
    films.write(path, iter([Image.new("RGB", (65, 33), (1, 2, 3))]), 1, 30, NOTES)
    assert films.kept(path, NOTES) == len(COLOURS)
    with Image.open(films.frame_path(path, 4)) as picture:
        assert picture.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_that_is_interrupted_leaves_nothing(suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")

    def interrupted() -> Iterator[Image.Image]:
        yield from list(pictures())[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        films.write(tmp_path / f"film{suffix}", interrupted(), 7, 10, NOTES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_a_disk_that_takes_nothing(suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        films.write(tmp_path / "file" / f"film{suffix}", pictures(), 7, 10, NOTES)


def test_what_is_no_film_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.gif").mkdir()
    for name, words in (
        ("film.avi", "a film is written as .mp4"),
        ("file", "is a file"),
        ("folder.gif", "is a folder"),
    ):
        with pytest.raises(ConfigError, match=words):
            films.check(tmp_path / name, 30)
    for fps in (0, -1, 1000, float("nan")):
        with pytest.raises(ConfigError, match="--fps"):
            films.check(tmp_path / "film.gif", fps)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"growgan\[video\]"):
        films.check(tmp_path / "film.mp4", 30)
    films.check(tmp_path / "film.gif", 30)


def test_formats_that_hold_all_frames_refuse_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"GiB of frames at once"):
        films.write(tmp_path / "film.gif", pictures((1000, 1000)), 1000, 30, NOTES)


def test_lengths() -> None:
    assert films.frames_in(2, 30) == 60 and films.frames_in(0.5, 25) == 12
    for seconds in (0, -1, float("nan"), float("inf"), 1e-3, 1e6):
        with pytest.raises(ConfigError, match="--seconds"):
            films.frames_in(seconds, 30)
