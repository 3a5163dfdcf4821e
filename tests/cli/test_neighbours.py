"""``growgan neighbours``: planted copies are found, mirrored ones too, and told from pictures that are merely alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from discs import save_discs
from feature_nets import save_network
from making import make_nets, make_spec
from PIL import Image

from growgan.data.build import build
from growgan.evaluation import neighbours
from growgan.models.native import save_model
from growgan.sampling.model import load

SEEDS = "0-5"


def make_model(path: Path, **training: Any) -> Path:
    G, D = make_nets(make_spec())
    save_model(path, {"G_ema": G, "D": D}, training={"nimg": 0, "mirror": True} | training)
    return path


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, Path]:
    """A model, and a set of discs with its pictures of seeds 1 and 4 in it, the latter mirrored."""
    model = make_model(tmp_path / "m.safetensors")
    folder = save_discs(tmp_path / "pictures", 30)
    pictures = load(model).sample(6, kind="numpy")
    Image.fromarray(pictures[1]).save(folder / "010b.png")
    Image.fromarray(np.ascontiguousarray(pictures[4][:, ::-1])).save(folder / "020b.png")
    build(folder, tmp_path / "set.zip")
    return model, tmp_path / "set.zip"


def ask(growgan: Any, model: Path, data: Path, *more: object) -> Any:
    out = model.parent / "sheet.png"
    result = growgan("neighbours", model, "--data", data, "--seeds", SEEDS, "--out", out, "--json", *more)
    assert result.status == 0, result
    return json.loads(result.out)


def nearest(found: Any, seed: int) -> dict[str, Any]:
    assert found["fakes"]["pictures"][seed]["name"] == f"seed {seed}"
    near: list[dict[str, Any]] = found["fakes"]["pictures"][seed]["neighbours"]
    assert [one["distance"] for one in near] == sorted(one["distance"] for one in near)
    return near[0]


def test_planted_copies(growgan: Any, planted: tuple[Path, Path]) -> None:
    found = ask(growgan, *planted)
    assert found["mirrored"] and found["box"] == [3, 3, 13, 13]
    for seed, name, mirrored in ((1, "010b.png", False), (4, "020b.png", True)):
        assert nearest(found, seed) | {"index": 0} == {"name": name, "index": 0, "distance": 0, "mirrored": mirrored}
    assert [seed for seed in range(6) if nearest(found, seed)["distance"] == 0] == [1, 4]
    assert found["fakes"]["summary"]["least"] == 0 and found["fakes"]["summary"]["least share"] == 0
    assert found["held_out"] is None and found["nearer_than_99_of_100_held_out"] is None


def test_without_mirroring_a_mirrored_copy_is_none(growgan: Any, planted: tuple[Path, Path]) -> None:
    model = make_model(planted[0], mirror=False)
    found = ask(growgan, model, planted[1])
    assert nearest(found, 1)["distance"] == 0 and nearest(found, 4)["distance"] > 0
    assert not found["mirrored"]


def test_distances_are_those_of_a_plain_loop(growgan: Any, planted: tuple[Path, Path]) -> None:
    model, data = planted
    found = ask(growgan, model, data, "--crop", "0,0,1,1", "--count", "3", "--truncation", "0.5")
    fakes = load(model).sample(6, truncation=0.5, kind="numpy").astype(float)
    paths = sorted((data.parent / "pictures").iterdir())
    reals = [np.asarray(Image.open(path)).astype(float) for path in paths]
    for fake, entry in zip(fakes, found["fakes"]["pictures"]):
        plain = [min(np.sqrt(((fake - r) ** 2).mean()) for r in (real, real[:, ::-1])) for real in reals]
        order = np.argsort(plain, kind="stable")[:3]
        assert [one["name"] for one in entry["neighbours"]] == [paths[i].name for i in order]
        np.testing.assert_allclose([one["distance"] for one in entry["neighbours"]], np.array(plain)[order])


def test_held_out_reals_beside_fakes(growgan: Any, planted: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = planted
    others = save_discs(tmp_path / "others", 99, (255, 0, 0))
    Image.open(tmp_path / "pictures" / "005.png").save(others / "copy.png")
    build(others, tmp_path / "others.zip")
    found = ask(growgan, model, data, "--held-out", tmp_path / "others.zip")
    held_out = {entry["name"]: entry["neighbours"][0] for entry in found["held_out"]["pictures"]}
    assert len(held_out) == 100 and held_out["copy.png"]["name"] == "005.png"
    assert [name for name, near in held_out.items() if near["distance"] == 0] == ["copy.png"]
    limit = np.quantile([near["distance"] for near in held_out.values()], 0.01)
    wanted = sum(entry["neighbours"][0]["distance"] < limit for entry in found["fakes"]["pictures"])
    assert found["nearer_than_99_of_100_held_out"] == wanted == 4
    said = growgan(
        *("neighbours", model, "--data", data, "--held-out", tmp_path / "others.zip", "--seeds", SEEDS),
        *("--out", tmp_path / "sheet.png"),
    ).out
    assert "nearer than 99% of held-out reals: 4 of 6 fakes" in said and "held-out reals       100" in said
    (others / "copy.png").unlink()
    few = ask(growgan, model, data, "--held-out", others)
    assert few["nearer_than_99_of_100_held_out"] is None  # fewer do not tell


def test_what_is_compared_in_parts_is_the_same(
    growgan: Any, planted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask(growgan, *planted)
    monkeypatch.setattr(neighbours, "QUERY_BYTES", 1)
    assert ask(growgan, *planted) == whole


def test_the_sheet_shows_the_pictures(growgan: Any, planted: tuple[Path, Path]) -> None:
    ask(growgan, *planted, "--count", "2")
    sheet = np.asarray(Image.open(planted[0].parent / "sheet.png"))
    fakes = load(planted[0]).sample(6, kind="numpy")
    cells = [fake.repeat(8, 0).repeat(8, 1) for fake in fakes]
    left = 6  # the fakes' column, and the first neighbours'
    for row, cell in enumerate(cells):
        top = 24 + row * (128 + 28)
        assert np.array_equal(sheet[top : top + 128, left : left + 128], cell)
        copied = np.array_equal(sheet[top : top + 128, left + 146 : left + 274], cell)
        assert copied == (row in (1, 4))


def test_many_fakes_are_shown_by_their_nearness(growgan: Any, planted: tuple[Path, Path]) -> None:
    found = ask(growgan, *planted, "--seeds", "0-39")
    assert len(found["fakes"]["pictures"]) == 40
    sheet = np.asarray(Image.open(planted[0].parent / "sheet.png"))
    first = load(planted[0]).sample(1, seed=1, kind="numpy")[0].repeat(8, 0).repeat(8, 1)
    assert np.array_equal(sheet[24:152, 6:134], first)


def test_in_the_space_of_features(growgan: Any, planted: tuple[Path, Path], tmp_path: Path) -> None:
    network = save_network(tmp_path / "net.pt")
    for words in (("--space", "inception", "--inception", network), ("--space", "vgg", "--vgg", network)):
        found = ask(growgan, *planted, *words, "--count", "2")
        assert nearest(found, 1)["name"] == "010b.png" and nearest(found, 4)["name"] == "020b.png"
        assert nearest(found, 1)["distance"] < 1e-4 and nearest(found, 4)["mirrored"]
        assert found["fakes"]["pictures"][0]["neighbours"][0]["distance"] > 1e-2


def test_grey_pictures(growgan: Any, tmp_path: Path) -> None:
    G, _ = make_nets(make_spec(channels=1))
    save_model(tmp_path / "m.safetensors", {"G_ema": G}, training={"mirror": False})
    pictures = load(tmp_path / "m.safetensors").sample(3, kind="numpy")
    (tmp_path / "grey").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture[..., 0]).save(tmp_path / "grey" / f"{i}.png")
    build(tmp_path / "grey", tmp_path / "set.zip")
    found = ask(growgan, tmp_path / "m.safetensors", tmp_path / "set.zip", "--seeds", "0-2", "--count", "9")
    assert [nearest(found, seed)["name"] for seed in range(3)] == ["0.png", "1.png", "2.png"]


def test_refusals(growgan: Any, planted: tuple[Path, Path], tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        return str(growgan("neighbours", planted[0], "--data", planted[1], "--seeds", "0", *words).refusal())

    assert "--space must be pixel, inception or vgg, not 'hair'" in refused("--space", "hair")
    assert "--count must be between 1 and 100" in refused("--count", "0")
    assert "must end in .png" in refused("--out", tmp_path / "x.jpg")
    assert "right: the model was trained on" in refused("--crop", "0,0,0.5,0.5")
    assert "--crop: 16x16, which does not contain" in refused("--crop", "0,0,20,20")
    assert "--space vgg needs --vgg, a TorchScript file" in refused("--space", "vgg")
    build(save_discs(tmp_path / "small", 4), tmp_path / "small.zip", resolution=8)
    assert "small.zip: its pictures reach 8x8, below the 16x16 of" in refused("--held-out", tmp_path / "small.zip")
    photos = save_discs(tmp_path / "photos", 4, sizes=((12, 10),))
    said = growgan("neighbours", planted[0], "--data", photos, "--seeds", "0").err.splitlines()[-1]
    assert f"growgan: {photos}: its pictures reach 8x8, below the 16x16 of" in said and "--upscale" in said
