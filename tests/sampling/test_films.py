"""Films: every format holds its frames, its pace and its colours, and is whole or not there."""

from __future__ import annotations

import itertools
import os
import subprocess
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
    films.write(path, pictures(), 30, NOTES)
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
    films.write(path, (picture.convert(mode) for picture in pictures((32, 32))), 10, NOTES)
    found = decoded(path)[0]
    for frame, picture in zip(found, pictures((32, 32)), strict=True):
        assert np.abs(frame.astype(int) - np.asarray(picture.convert(mode).convert("RGB"))).max() <= 6


def test_what_is_transparent_shows_no_hidden_colours() -> None:
    clear = Image.new("RGBA", (3, 2), (255, 0, 0, 0))
    assert set(films._even(clear).get_flattened_data()) == {(255, 255, 255)}


def test_a_folder_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    films.write(path, pictures(), 30, NOTES)
    assert films.kept(path, NOTES) == len(COLOURS)
    with pytest.raises(ConfigError, match="frames of another film"):
        films.kept(path, NOTES | {"seed": "4"})
    fewer = {key: value for key, value in NOTES.items() if key != "seed"}
    with pytest.raises(ConfigError, match="frames of another film"):
        films.kept(path, fewer)
    films.write(path, pictures(), 30, NOTES)  # all of them once more: in their places
    assert len(list(path.iterdir())) == len(COLOURS)
    whole = films.frame_path(path, 4).read_bytes()
    for broken in (b"half a picture", whole[: len(whole) // 2], b""):
        films.frame_path(path, 4).write_bytes(broken)
        assert films.kept(path, NOTES) == 4
    rest = [Image.new("RGB", (65, 33), (1, 2, 3)), *list(pictures())[5:]]
    films.write(path, rest, 30, NOTES, first=4)
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
        films.write(tmp_path / f"film{suffix}", interrupted(), 10, NOTES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_a_disk_that_takes_nothing(suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        films.write(tmp_path / "file" / f"film{suffix}", pictures(), 10, NOTES)


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".png", ""])
def test_a_disk_that_is_full(suffix: str, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    script = (
        "import resource, sys, numpy, pathlib; from PIL import Image; from growgan.sampling import films\n"
        "from growgan.core.errors import RunError\n"
        "noise = numpy.random.RandomState(0).randint(0, 256, (20, 200, 200, 3)).astype('uint8')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))\n"
        "try: films.write(sys.argv[1], map(Image.fromarray, noise), 10)\n"
        "except RunError as error: print(error)"
    )
    words = [sys.executable, "-c", script, str(tmp_path / f"film{suffix}")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cannot write") and len(done.stdout.splitlines()) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_is_no_film_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "folder.mp4").mkdir()
    said = {"film.avi": "a film must be", ".mp4": "a film must be", "file": "is a file"}
    for name, words in (said | {"folder.gif": "is a folder", "folder.mp4": "is a folder"}).items():
        with pytest.raises(ConfigError, match=words):
            films.check(tmp_path / name, 30)
    with pytest.raises(ConfigError, match="a film must be"):
        films.check("", 30)
    for name, fps in itertools.product(("film.gif", "film.webp", "frames"), (0, -1, 1e-4, 1000, float("nan"))):
        with pytest.raises(ConfigError, match="--fps"):
            films.check(tmp_path / name, fps)
    with pytest.raises(ConfigError, match=r"--fps of a \.gif must be between 0\.05 and 50"):
        films.check(tmp_path / "film.gif", 60)
    with pytest.raises(ConfigError, match="is too large"):
        films.check(tmp_path / "film.webp", 30, 1, (16384, 16))
    with pytest.raises(ConfigError, match="needs at least one frame"):
        films.write(tmp_path / "film.gif", [])
    with monkeypatch.context() as patch:
        pytest.importorskip("av")
        patch.setitem(films.CODECS, ".webm", ("no such encoder", {}))
        with pytest.raises(ConfigError, match="has no encoder"):
            films.check(tmp_path / "film.webm", 30)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match="pip install av"):
        films.check(tmp_path / "film.mp4", 30)
    films.check(tmp_path / "film.gif", 30)


@pytest.mark.parametrize(
    ("suffix", "fps"), [(".gif", 50), (".gif", 24), (".webp", 120), (".png", 240), (".mp4", 23.976)]
)
def test_the_whole_lasts_as_long_as_it_should(suffix: str, fps: float, tmp_path: Path) -> None:
    if suffix in films.CODECS:
        pytest.importorskip("av")
    frames = [Image.new("RGB", (16, 16), (i * 5, 0, 0)) for i in range(48)]
    films.write(tmp_path / f"film{suffix}", frames, fps)
    found, seconds, _ = decoded(tmp_path / f"film{suffix}")
    assert len(found) == 48 and seconds == pytest.approx(48 / fps, abs=0.006)


def test_a_still_that_lasts_longer_than_its_format_can_count(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"):
        films.write(tmp_path / "film.gif", [Image.new("RGB", (8, 8))] * 700, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    films.write("a:b.mp4", pictures())
    assert len(decoded(tmp_path / "a:b.mp4")[0]) == len(COLOURS)


def test_formats_that_hold_all_frames_refuse_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"would have 3.7 GiB of frames"):
        films.check(tmp_path / "film.gif", 30, 1000, (1000, 1000))
    monkeypatch.setattr(films, "MOST_HELD", 3 * 100 * 3)
    different = [Image.new("RGB", (10, 10), (i, 0, 0)) for i in range(4)]
    films.write(tmp_path / "film.gif", [*different[:1] * 50, *different[1:3]], 30)
    assert decoded(tmp_path / "film.gif")[1] == pytest.approx(52 / 30, abs=0.006)
    with pytest.raises(ConfigError, match="would have"):
        films.write(tmp_path / "film.gif", different, 30)


def test_lengths() -> None:
    assert films.frames_in(2, 30) == 60 and films.frames_in(0.5, 25) == 12
    for seconds in (0, -1, float("nan"), float("inf"), 1e-3, 1e6):
        with pytest.raises(ConfigError, match="--seconds"):
            films.frames_in(seconds, 30)


def test_a_film_is_shown_before_it_is_loaded_whole(tmp_path: Path) -> None:
    pytest.importorskip("av")
    films.write(tmp_path / "film.mp4", pictures(), 10, NOTES)
    data = (tmp_path / "film.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
