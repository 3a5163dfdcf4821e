"""The studio makes the pictures that the commands make, whatever they were ordered with."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from making import make_nets, make_spec
from PIL import Image

from growgan.cli.main import main
from growgan.core.errors import ConfigError
from growgan.core.runfiles import RunFiles
from growgan.editing import directions, projected, sheet
from growgan.editing.projected import Point
from growgan.models.native import save_model
from growgan.sampling import walks
from growgan.sampling.latents import draw_arrays
from growgan.sampling.model import Model, load
from growgan.studio.plans import Film, Frame, Key, Look, Random, Said, Sheet, There, Through
from growgan.studio.service import Given, Studio


def pixels(data: bytes | Image.Image) -> np.ndarray:
    picture = Image.open(io.BytesIO(data)) if isinstance(data, bytes) else data
    return np.asarray(picture).astype(int)


def notes(data: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(data)) as picture:
        text: dict[str, str] = picture.text  # type: ignore[attr-defined]
        return {name.removeprefix("growgan:"): str(value) for name, value in text.items()}


def near(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max() <= 1)


def found_in(model: Model, seeds: tuple[int, ...], offset: float) -> projected.Projected:
    """Photographs that were found at seeds, with an offset."""
    z, labels = draw_arrays(seeds, model.spec, model.distribution)
    found = None
    for i, seed in enumerate(seeds):
        label = labels[i] if labels is not None else None
        base = np.full((model.spec.width(4), 4, 4), offset, np.float32)
        point = Point(z[i], label, base, 1.0)
        found = projected.added(found, f"p{seed}.png", f"{seed}", point, model.file.hash, "s")
    assert found is not None
    return found


def test_seeds_are_those_of_sample(plain: str, classes: str) -> None:
    studio = Studio([plain, classes, plain], load)
    assert studio.names == (plain, classes)
    for name, label in ((plain, None), (classes, None), (classes, 1)):
        model, look = load(name), Look(name, label, 0.6)
        made = studio.pictures(look, [Key(7), Key(3)])
        for data, seed in zip(made, (7, 3), strict=True):
            (expected,) = model.sample(1, seed=seed, truncation=0.6, label=label)
            assert near(pixels(data), pixels(expected))
            said = notes(data)
            assert said["seed"] == str(seed) and said["truncation"] == "0.6" and said["model"] == model.file.hash
            words = model.labels([seed], label)
            assert said.get("class") == (words[0] if words else None)
    plan = Sheet(Look(classes, None, 1.0), (Key(0), Key(1), Key(2)), 2)
    grid = studio.sheet(plan)
    model = load(classes)
    assert pixels(grid).shape == (128, 128, 3)
    assert near(pixels(grid)[:64, 64:], pixels(model.sample(1, seed=1)[0]).repeat(4, 0).repeat(4, 1))
    assert notes(grid)["pictures"] == "seed 0, seed 1, seed 2"
    assert studio.words(plan) == model.labels([0, 1, 2])


def test_moved_pictures_are_those_of_edit(plain: str, tmp_path: Path) -> None:
    assert main(["edit", plain, "--seeds", "5", "--move", "0:0.5,2:-0.3", "--out", str(tmp_path / "e")]) == 0
    with Image.open(tmp_path / "e" / "seed0005.png") as picture:
        expected = pixels(picture)[::4, ::4]
        text = picture.text["growgan:directions"]  # type: ignore[attr-defined]
    studio = Studio([plain], load)
    moved = Key(5, moves=(("0", 0.5), ("2", -0.3)))
    plain_one, moved_one = studio.pictures(Look(plain, None, 1.0), [Key(5), moved])
    assert near(pixels(moved_one), expected) and not near(pixels(plain_one), expected)
    assert notes(moved_one)["move"] == "0:0.5,2:-0.3" and notes(moved_one)["directions"] == text
    assert "move" not in notes(plain_one) and "directions" not in notes(plain_one)
    with pytest.raises(ConfigError, match="unknown direction 'smile'"):
        studio.pictures(Look(plain, None, 1.0), [Key(5, moves=(("smile", 1.0),))])


def test_photographs_beside_seeds(classes: str) -> None:
    model = load(classes)
    found = found_in(model, (3, 9), 0.5)
    studio = Studio(
        [classes], load, Given(photographs=found, photographs_path=Path("p.safetensors"), photographs_hash="abc")
    )
    others = Studio([classes], load, Given(photographs=found_in(model, (3, 8), 0.5)))
    assert len({one.describe(classes)["version"] for one in (studio, others, Studio([classes], load))}) == 3
    made = studio.pictures(Look(classes, None, 1.0), [Key(1), Key(1, photo=True), Key(0, photo=True), Key(9)])
    expected = next(iter(model.pictures(found.walk(model)))).transpose(0, 2, 3, 1).astype(int)
    for data, one in zip(made, (None, expected[1], expected[0], None), strict=True):
        assert one is None or near(pixels(data), one)
    assert near(pixels(made[0]), pixels(model.sample(1, seed=1)[0]))
    assert near(pixels(made[3]), pixels(model.sample(1, seed=9)[0])) and not near(pixels(made[3]), pixels(made[1]))
    said = notes(made[1])
    assert said["photo"] == "1" and said["photograph"] == "p9.png" and said["latents"] == "abc"
    assert "latents" not in notes(made[0])
    chosen = Look(classes, 0, 1.0)  # of seeds: a photograph has its own
    (of_seed, of_photo), words = studio.pictures(chosen, [Key(1), Key(1, photo=True)]), model.labels([9])
    assert notes(of_seed)["class"] == "red" and notes(of_photo)["class"] == words[0]
    assert "class" not in notes(studio.sheet(Sheet(chosen, (Key(0, photo=True),), 1)))
    assert notes(studio.sheet(Sheet(chosen, (Key(0), Key(0, photo=True)), 2)))["class"] == "red"
    assert studio.describe(classes)["photographs"] == ["p3.png", "p9.png"]
    with pytest.raises(ConfigError, match="no photograph 2"):
        studio.pictures(Look(classes, None, 1.0), [Key(2, photo=True)])
    with pytest.raises(ConfigError, match="no photograph 0"):
        Studio([classes], load).pictures(Look(classes, None, 1.0), [Key(0, photo=True)])


@pytest.mark.parametrize("way", ["through", "there", "random"])
def test_a_walk_that_is_looked_at_is_that_of_its_film(way: str, classes: str, tmp_path: Path) -> None:
    frames, fps, out = 6, 3.0, tmp_path / "film"
    ways = {
        "through": (Through((Key(4), Key(8))), ["video", "--seeds", "4,8"]),
        "there": (There(Key(4, moves=(("1", 0.8),))), ["edit", "--seeds", "4", "--move", "1:0.8"]),
        "random": (Random(5, 0.4), ["video", "--seed", "5", "--smoothing", "0.4"]),
    }
    plan, words = ways[way]
    look = Look(classes, 2, 0.8)
    studio = Studio([classes], load)
    count, said, made = studio.film(Film(look, plan, frames / fps, fps, ".gif", 64))
    assert count == frames and said["way"] == str(plan) and said["class"] == "blue"
    shown = [pixels(picture) for picture in made]
    assert len(shown) == frames
    for at in range(frames):
        (data,) = studio.pictures(look, [Frame(plan, frames, fps, at)])
        assert near(pixels(data).repeat(4, 0).repeat(4, 1), shown[at])
    more = ["--seconds", "2", "--fps", "3", "--class", "blue", "--truncation", "0.8"]
    if way == "there":  # whose folder holds pictures, not frames
        out = out.with_suffix(".png")
        assert main([words[0], classes, *words[1:], *more[4:], "--steps", "2", "--out", str(out)]) == 0
        with Image.open(out) as picture:
            assert near(pixels(picture)[:, :64], shown[0]) and near(pixels(picture)[:, 64:], shown[3])
        return
    assert main([words[0], classes, *words[1:], *more, "--out", str(out)]) == 0
    for at in range(frames):
        with Image.open(out / f"frame{at:05d}.png") as picture:
            assert near(pixels(picture), shown[at])


def test_directions_of_a_file(plain: str, classes: str, tmp_path: Path) -> None:
    found = directions.of_weights(load(plain), 2)
    given = Given(directions=found, directions_path=tmp_path / "d.safetensors")
    studio = Studio([plain, classes], load, given)
    studio.try_given()
    about = studio.describe(plain)
    assert [one["name"] for one in about["directions"]] == ["0", "1"] and not about["directions_foreign"]
    assert about["directions_file"] == str(tmp_path / "d.safetensors")
    assert studio.describe(classes)["directions_foreign"]


def test_a_direction_is_taught_beside_those_of_another_file(plain: str, classes: str) -> None:
    given = Given(directions=directions.of_weights(load(plain), 2), directions_path=Path("d.safetensors"))
    studio = Studio([classes], load, given)
    model = load(classes)
    z, _ = draw_arrays(range(60), model.spec, model.distribution)
    assert studio.teach(Said(classes, "tall", {seed: float(row[0] > 0) for seed, row in enumerate(z)})) > 0.3
    about = studio.describe(classes)
    assert [one["name"] for one in about["directions"]] == ["tall", "0", "1"] and about["directions_foreign"]


def test_a_direction_is_taught(plain: str) -> None:
    model, studio = load(plain), Studio([plain], load)
    z, _ = draw_arrays(range(60), model.spec, model.distribution)
    labels = {seed: float(row[0] > 0) for seed, row in enumerate(z)}
    look, key = Look(plain, None, 1.0), Key(3, moves=(("tall", 0.5),))
    with pytest.raises(ConfigError, match="unknown direction 'tall'"):
        studio.pictures(look, [key])
    assert studio.teach(Said(plain, "tall", labels)) > 0.3
    assert studio.teach(Said(plain, "none", {s: float(s % 2) for s in range(60)})) < 0.3
    expected = directions.of_labels(model, {"tall": labels})
    first, second, *others = studio.describe(plain)["directions"]
    assert (first["name"], second["name"]) == ("tall", "none") and first["taught"] and first["weight"] > 0.3
    assert [one["name"] for one in others] == [str(n) for n in range(6)] and not others[0]["taught"]
    (data,), version = studio.pictures(look, [key]), studio.describe(plain)["version"]
    assert studio.is_current(plain, version)
    moved = sheet.moved(model, expected, [dict(key.moves)], walks.still([3], model.spec, model.distribution))
    assert near(pixels(data), next(iter(model.pictures(moved)))[0].transpose(1, 2, 0).astype(int))
    assert notes(data)["directions"].startswith("weights+labels of ")
    assert studio.teach(Said(plain, "tall", {s: 1 - v for s, v in labels.items()})) > 0.3  # said anew
    assert [one["name"] for one in studio.describe(plain)["directions"]][:2] == ["tall", "none"]
    assert studio.pictures(look, [key]) != [data]
    assert not studio.is_current(plain, version)  # a browser is not to show what it kept
    with pytest.raises(ConfigError, match="at least 20 labels"):
        studio.teach(Said(plain, "x", {1: 1.0}))
    with pytest.raises(ConfigError, match="direction '0' already"):
        studio.teach(Said(plain, "0", labels))


def test_what_fits_none_of_the_models(plain: str, classes: str) -> None:
    other = directions.Directions(np.eye(4, dtype=np.float32), ("a", "b", "c", "d"), (1.0,) * 4, "weights", "x")
    given = Given(directions=other, directions_path=Path("d.safetensors"))
    with pytest.raises(ConfigError, match="fits none"):
        Studio([plain], load, given).try_given()
    about = Studio([plain], load, given).describe(plain)  # which has its own all the same
    assert len(about["directions"]) == 6 and about["directions_file"] is None
    found = found_in(load(classes), (1,), 0.0)
    with pytest.raises(ConfigError, match="fits none"):
        Studio([plain], load, Given(photographs=found, photographs_path=Path("p"))).try_given()


def test_a_mixture_beside_a_class_changes_no_words(classes: str) -> None:
    model = load(classes)
    point = Point(np.zeros(6, np.float32), np.array([0.5, 0.5, 0], np.float32), None, 1.0)
    found = projected.added(None, "p.png", "0", point, model.file.hash, "s")
    studio, look = Studio([classes], load, Given(photographs=found)), Look(classes, None, 1.0)
    alone, beside = studio.pictures(look, [Key(1)]), studio.pictures(look, [Key(1), Key(0, photo=True)])
    assert notes(beside[0]) == notes(alone[0]) and near(pixels(beside[0]), pixels(alone[0]))
    assert "red 0.5, green 0.5" in notes(beside[1])["class"]


def test_how_it_is_computed_is_part_of_the_version(plain: str) -> None:
    versions = {Studio([plain], load, Given(options=some)).describe(plain)["version"] for some in ((), ("--x", "y"))}
    assert len(versions) == 2


def test_a_run_without_a_model_does_not_shut_out_what_is_given(plain: str, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(tiny_run / "config.json", run)
    given = Given(directions=directions.of_weights(load(plain), 2), directions_path=Path("d"))
    Studio([str(run), plain], load, given).try_given()


def test_a_model_that_is_not_there(plain: str) -> None:
    studio = Studio([plain], load)
    for name in ("", "faces-64", "/etc/passwd"):
        with pytest.raises(ConfigError, match="no model"):
            studio.describe(name)


def test_a_run_is_taken_up_where_it_has_come_to(tiny_run: Path, tmp_path: Path) -> None:
    run = RunFiles(Path(shutil.copytree(tiny_run, tmp_path / "run")))
    run.best.unlink()
    studio = Studio([str(run.path)], load)
    before = studio.describe(str(run.path))
    assert before["path"] == str(run.snapshots()[-1])
    look = Look(str(run.path), None, 1.0)
    (data,) = studio.pictures(look, [Key(0)])
    G, _ = make_nets(make_spec(), torch.float32)
    save_model(run.best, {"G_ema": G}, training={})
    assert studio.pictures(look, [Key(0)]) == [data]  # until the page asks anew
    assert studio.describe(str(run.path))["path"] == before["path"]  # what was taught a snapshot lasts until then
    assert studio.describe(str(run.path), anew=True)["path"] == str(run.best)
    after = studio.describe(str(run.path))["version"]
    assert studio.is_current(str(run.path), after) and after != before["version"]
    run.best.unlink()
    for path in (*run.snapshots(), *run.milestones()):  # as when a run throws one away at this very moment
        path.unlink()
    assert studio.describe(str(run.path), anew=True)["version"] == after
    assert not studio.is_current(str(run.path), before["version"]) and not studio.is_current("x", after)
