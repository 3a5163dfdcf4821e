"""``growgan video`` and ``growgan timelapse``: what a person gets, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.core.errors import RunError
from growgan.sampling import films, walks
from growgan.sampling.model import load
from growgan.training import timelapse
from growgan.training.run import RunFolder

Growgan = Callable[..., Any]


def frames(path: Path, fps: float) -> list[np.ndarray]:
    """All of them; Pillow writes equal ones once, and lets them last longer."""
    found: list[np.ndarray] = []
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            times = round(film.info["duration"] * fps / 1000)
            found += [np.asarray(film.convert("RGB")).astype(int)] * times
    return found


def test_a_random_walk(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.png"
    words = ["--seconds", 1, "--fps", 12, "--smoothing", 0.2, "--grid", "3x2", "--seed", 5, "--size", 32]
    status, said, told = growgan("video", tiny_run, "--out", out, *words)
    assert (status, said) == (0, f"{out}\n") and told.startswith("by ")
    found = frames(out, 12)
    assert len(found) == 12 and found[0].shape == (64, 96, 3)
    model = load(tiny_run)
    walk = walks.smooth(12, 6, model.spec, {}, seed=5, sigma=0.2 * 12)
    for number in (0, 7):
        row = model._pictures(walk.z[number], None, 1.0)
        cell = row[4].transpose(1, 2, 0).repeat(2, 0).repeat(2, 1)  # the second of the second row
        assert np.abs(found[number][32:64, 32:64] - cell).max() <= 1


def test_a_short_walk_is_warned_of(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    words = ["--fps", 4, "--out", tmp_path / "walk.gif", "--seconds"]
    assert "hardly moves" in growgan("video", tiny_run, *words, 2)[2]
    assert "hardly moves" not in growgan("video", tiny_run, *words, 2, "--smoothing", 0.4)[2]


def test_from_seed_to_seed(growgan: Growgan, labelled_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.png"
    words = ["--seconds", 2, "--fps", 4, "--seeds", "3,8", "--truncation", 0.7, "--batch", 3, "--size", 16]
    assert growgan("video", labelled_run, "--out", out, *words).status == 0
    found = frames(out, 4)
    model = load(labelled_run)
    for number, seed in ((0, 3), (4, 8)):
        (wanted,) = model.sample(1, seed=seed, truncation=0.7, kind="numpy")
        assert np.abs(found[number] - wanted).max() <= 1
    assert growgan("video", labelled_run, "--out", out, *words, "--class", "red").status == 0
    (wanted,) = model.sample(1, seed=8, label="red", truncation=0.7, kind="numpy")
    assert np.abs(frames(out, 4)[4] - wanted).max() <= 1


def test_a_folder_of_frames_goes_on(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    words = ["--seconds", 1, "--fps", 6, "--out", out]
    assert growgan("video", tiny_run, *words).status == 0
    before = {path: path.read_bytes() for path in sorted(out.iterdir())}
    assert len(before) == 6
    old = [films.frame_path(out, number) for number in range(4)]
    times = [path.stat().st_mtime_ns for path in old]
    films.frame_path(out, 4).unlink()
    assert growgan("video", tiny_run, *words).status == 0
    assert {path: path.read_bytes() for path in sorted(out.iterdir())} == before
    assert [path.stat().st_mtime_ns for path in old] == times
    status, said, told = growgan("video", tiny_run, *words, "--seed", 1)
    assert (status, said) == (2, "") and "holds frames of another film" in told
    assert {path: path.read_bytes() for path in sorted(out.iterdir())} == before


def test_a_model_without_torch_makes_films_too(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert growgan("export", tiny_run, tmp_path / "model.onnx").status == 0
    words = ["--seconds", 1, "--fps", 4, "--size", 16, "--out"]
    assert growgan("video", tmp_path / "model.onnx", *words, tmp_path / "a.png").status == 0
    assert growgan("video", tiny_run, *words, tmp_path / "b.png").status == 0
    for one, other in zip(frames(tmp_path / "a.png", 4), frames(tmp_path / "b.png", 4), strict=True):
        assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "walk.avi"], "a film must be"),
        (["--out", "walk.gif", "--size", "24"], "--size must be 16 times or divided by a power of two"),
        (["--out", "new/walk.mp4", "--size", "24"], "--size must be"),
        (["--out", "walk.gif", "--size", "0"], "--size must be"),
        (["--out", "walk.mp4", "--size", "1048576"], "is too large"),
        (["--out", "walk.gif", "--grid", "600x1"], "is too large"),
        (["--out", "frames", "--seconds", "80000", "--grid", "20x20"], "is too long"),
        (["--out", "walk.gif", "--seeds", ""], "--seeds takes seeds"),
        (["--out", "walk.gif", "--seed", "4294967296"], "--seed must be"),
        (["--out", ""], "a film must be"),
        (["--out", "new/walk.mp4", "--truncation", "nan"], "truncation"),
        (["--out", "walk.gif", "--seconds", "0"], "--seconds"),
        (["--out", "walk.gif", "--fps", "0"], "--fps"),
        (["--out", "walk.gif", "--smoothing", "-1"], "--smoothing"),
        (["--out", "walk.gif", "--grid", "0x1"], "--grid"),
        (["--out", "walk.gif", "--seeds", "1"], "at least two"),
        (["--out", "walk.gif", "--seeds", "1,2", "--seed", "3"], "--seed is for random walks and cannot be combined"),
        (["--out", "walk.gif", "--seeds", "1-3", "--grid", "2x1"], "3 pictures"),
        (["--out", "walk.gif", "--seed", "-1"], "--seed must be"),
        (["--out", "walk.gif", "--class", "1"], "no classes"),
        (["--out", "walk.gif", "--truncation", "3"], "truncation"),
        (["--out", "walk.gif", "--batch", "0"], "the batch"),
    ],
)
def test_refusals_of_video(
    words: list[str], told: str, growgan: Growgan, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, lines = growgan("video", tiny_run, *words)
    assert (status, said) == (2, "") and told in lines and len(lines.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_as_a_film(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.png"
    assert (
        growgan("timelapse", tiny_run, "--out", out, "--seconds", 2, "--fps", 5, "--hold", 1, "--no-captions").status
        == 0
    )
    run = RunFolder(tiny_run)
    first, *_, last = run.grids()
    found = frames(out, 5)
    assert len(found) == 10
    for frame, path in ((found[0], first), (found[5], last), (found[9], last)):
        with Image.open(path) as picture:
            assert np.array_equal(frame, np.asarray(picture.convert("RGB")))
    assert growgan("timelapse", tiny_run, "--out", out, "--seconds", 2, "--fps", 5, "--grid", "2x1").status == 0
    height, width, _ = frames(out, 5)[0].shape
    assert width == 128 and height > 64


def test_a_film_of_a_run_names_no_path(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "mine")
    words = ["--seconds", 1, "--fps", 2, "--out", tmp_path / "film"]
    assert growgan("timelapse", run, *words).status == 0
    with Image.open(tmp_path / "film" / "frame00000.png") as picture:
        assert picture.text["growgan:run"] == "mine" and str(tmp_path) not in str(picture.text)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"seed": config["seed"] + 1}))
    status, _, told = growgan("timelapse", run, *words)  # another run of the same name
    assert status == 2 and "frames of another film" in told


def test_what_a_film_of_a_run_shows_when(tiny_run: Path) -> None:
    run = RunFolder(tiny_run)
    found = timelapse.moments(run)
    assert [moment.path for moment in found] == run.grids()
    assert [moment.nimg for moment in found] == sorted({moment.nimg for moment in found})
    assert found[0].seconds == 0 and found[-1].seconds == pytest.approx(run.read_log()[-1]["seconds"])
    assert found[0].resolution == 4 and found[-1].resolution == 16 and found[-1].alpha == 1
    assert found[-1].words[:2] == ("16x16", "0 kimg")
    fading = timelapse.Moment(found[0].path, 12_345, 754.0, 32, 0.35)
    assert fading.words == ("32x32", "fade 35%", "12 kimg", "12m34s")
    for by in ("time", "images"):
        shown = timelapse.chosen(found, 100, 1.0, by)
        numbers = [moment.nimg for moment in shown]
        assert numbers == sorted(numbers) and (shown[0], shown[-1]) == (found[0], found[-1])
        early = timelapse.chosen(found, 100, 3.0, by)
        assert early.count(found[0]) > shown.count(found[0])
        held = timelapse.chosen(found, 100, 1.0, by, held=30)
        assert held[70:] == [found[-1]] * 30 and held[69] != found[-1]
        assert timelapse.chosen(found, 1, 1.5, by) == [found[-1]]
    even = [found[0], found[-1]]
    even[1] = timelapse.Moment(even[1].path, 10, 4.0, 16, 1.0)
    assert timelapse.chosen(even, 5, 1.0) == [even[0]] * 4 + [even[1]]


def test_a_caption_says_what_the_log_says(tiny_run: Path, tmp_path: Path) -> None:
    """The schedule alone would tell of the next round, and of a run of another length."""
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    config = run.read_config()
    run.write_config(replace(config, schedule=replace(config.schedule, total_kimg=0.05)))
    said = {entry["nimg"]: (entry["resolution"], entry["alpha"]) for entry in run.read_log()}
    found = {moment.nimg: (moment.resolution, moment.alpha) for moment in timelapse.moments(run)}
    assert {nimg: found[nimg] for nimg in said} == said and said[320] == (16, 1.0)


def test_a_run_whose_grids_changed_their_size(tiny_run: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    with Image.open(run.grids()[-1]) as picture:
        small = picture.resize((200, 100))
    small.save(run.grids()[-1])
    found = timelapse.moments(run)
    sizes = [frame.size for frame in timelapse.frames(found, 16)]
    assert len(set(sizes)) == 1
    assert [frame.size for frame in timelapse.frames(found, 16, first=len(found) - 1)] == sizes[-1:]
    run.grids()[1].write_bytes(b"")
    with pytest.raises(RunError, match="cannot be read"):
        list(timelapse.frames(found, 16))


def test_captions_of_narrow_films_have_lines(tiny_run: Path) -> None:
    found = timelapse.moments(RunFolder(tiny_run))
    narrow, wide = (next(timelapse.frames(found, 16, cells)) for cells in ((1, 1), (8, 1)))
    assert narrow.height > wide.height > 64
    text = np.asarray(narrow)[64:]
    assert (text[:, -2:] == 0).all() and (text > 100).any()  # nothing runs out of the picture


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--grid", "99x1"], "the run's grids have"),
        (["--out", "new/film.mp4", "--grid", "99x1"], "the run's grids have"),
        (["--grid", ""], "--grid takes"),
        (["--warp", "0"], "--warp"),
        (["--hold", "21"], "--hold"),
        (["--out", "film.avi"], "a film must be"),
        (["--seconds", "nan"], "--seconds"),
    ],
)
def test_refusals_of_timelapse(
    words: list[str], told: str, growgan: Growgan, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", "film.gif"]
    status, said, lines = growgan("timelapse", tiny_run, *out, *words)
    assert (status, said) == (2, "") and told in lines and len(lines.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    status, said, lines = growgan("timelapse", tmp_path, "--out", "film.gif")
    assert (status, said) == (2, "") and "has no grids of fakes" in lines


def test_a_log_that_is_empty_still_has_its_grids(tiny_run: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    run.log.write_text(json.dumps({"nimg": 1, "seconds": 0.5}) + "\n")
    assert timelapse.moments(run)[-1].seconds == 0.5
    run.log.unlink()
    found = timelapse.moments(run)
    assert {moment.seconds for moment in found} == {0.0}
    assert timelapse.chosen(found, 50)[0] == found[0]


def test_a_run_that_is_writing_its_log(growgan: Growgan, tiny_run: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    before = timelapse.moments(run)
    with run.log.open("a") as file:
        file.write('{"nimg": 99')
    assert timelapse.moments(run) == before
    run.log.write_text('{"nimg": 99\n' + run.log.read_text())
    status, _, lines = growgan("timelapse", run.path, "--out", tmp_path / "film.gif")
    assert status == 2 and "log.jsonl, line 1" in lines and len(lines.splitlines()) == 1
    (run.path / "fakes-best.png").write_bytes(b"")
    assert run.path / "fakes-best.png" not in run.grids()
