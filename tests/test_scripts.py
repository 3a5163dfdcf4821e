"""scripts/: what is not in the package, but makes what the package and its pages show."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from discs import save_discs
from feature_nets import save_network
from PIL import Image

from growgan.cli.main import main
from growgan.data.dataset import open_dataset
from growgan.models.inspect import inspect
from growgan.sampling.model import load
from growgan.training.run import RunFolder

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def call(name: str, monkeypatch: pytest.MonkeyPatch, *words: object) -> Any:
    """The status of `python scripts/NAME.py WORDS...`."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
    return script(name).main()


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def test_figures(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = tiny_run / "models" / "stage-0008x0008.safetensors"
    for words in (
        ("grid", tiny_run, tmp_path / "grid.png", "--shape", "3x2"),
        ("growth", tiny_run, tmp_path / "growth.png"),
        ("curves", tiny_run, tmp_path / "curves.png"),
        ("losses", tiny_run, tmp_path / "losses.png"),
        ("change", stage, tiny_run, tmp_path / "change.png", "--shape", "3x2"),
    ):
        assert call("figures", monkeypatch, *words) == 0
    drawn = {path.stem: read(path) for path in tmp_path.glob("*.png")}
    assert set(drawn) == {"grid", "growth", "curves", "losses", "change"} and drawn["grid"].shape == (128, 192, 3)
    for model, top, factor in ((stage, 24, 8), (tiny_run, 24 + 128 + 24, 4)):
        first = load(model).sample(1, kind="numpy")[0].repeat(factor, 0).repeat(factor, 1).astype(int)
        assert np.abs(drawn["change"][top : top + 64, :64] - first).max() <= 1  # seeds in other batches
    assert call("figures", monkeypatch, "losses", tmp_path / "no-run", tmp_path / "x.png") == 2


def test_what_is_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    names = ["1_000007.jpg", "1_000070.jpg", "27_000012.jpg", "deeper/3_000117.png"]
    for name in names:
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).write_bytes(name.encode())
    split = script("reference").split
    for _ in range(2):
        train, test = (split(tmp_path / "all", tmp_path / part, part == "test") for part in ("train", "test"))
    assert sorted(path.name for path in test.iterdir()) == ["1_000007.jpg", "3_000117.png"]
    assert sorted(path.name for path in train.iterdir()) == ["1_000070.jpg", "27_000012.jpg"]
    assert (test / "3_000117.png").read_bytes() == b"deeper/3_000117.png"


def test_a_card_names_the_command_that_makes_the_run(
    tiny_run: Path,
    colour_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    words = script("reference_card").settings(RunFolder(tiny_run).read_config())
    assert words[:2] == ["--preset", "tiny"] and words[words.index("--kimg") + 1] == "0.32"
    capsys.readouterr()
    more = ["--threads", "1", "--precision", "float32", "--dry-run"]
    assert main(["train", "--data", str(colour_set), "--out", str(tmp_path / "again"), *words, *more]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tiny_run / "config.json").read_text())


@pytest.mark.slow
def test_reference(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    shutil.copytree(tiny_run, tmp_path / "run")
    network, out = save_network(tmp_path / "net.pt"), tmp_path / "out"
    (out / "before").mkdir(parents=True)
    shutil.copy(tiny_run / "config.json", out / "before")
    words = ("faces-64", "--run", tmp_path / "run", "--out", out, "--inception", network, "--device", "cpu")
    pictures = save_discs(tmp_path / "pictures", 40, sizes=((178, 218),))
    words = (*words, "--pictures", pictures, "--rehearse", "--seen", "Discs lack edges.")
    assert call("reference", monkeypatch, *words) == 0
    made = inspect(out / "faces-64.safetensors")
    assert sorted(made.networks) == ["D", "G_ema"] and made.dtypes == ["F16"] and made.truncation
    names = [*("fid64", "kid64", "msssim64"), *("pr_inception64_precision", "pr_inception64_recall", "swd64")]
    assert sorted(made.file.measures) == names
    assert all(found["images"] == 64 and found["seed"] == 1 for found in made.file.measures.values())
    card = made.file.card
    assert card["limits"].endswith("Discs lack edges.") and card["data"].startswith("96 pictures of CelebA")
    first, second = (f"growgan train --data train.zip --out {name} --" for name in ("before", "run"))
    assert f"{first}preset tiny" in card["notes"] and f"{second}from 'before (its last snapshot)'" in card["notes"]
    assert card["notes"].count("--kimg 0.32") == 2 and "lowest KID" in card["notes"]
    figures = {path.relative_to(out).as_posix() for path in out.rglob("*.png") if not path.is_symlink()}
    assert figures == {
        *("grid.png", "grid-truncated.png", "growth.png", "curves.png", "losses.png", "private/neighbours.png")
    }
    found = json.loads((out / "private" / "neighbours.json").read_text(encoding="utf-8"))
    assert len(found["fakes"]["pictures"]) == 32 and {one["name"] for one in found["held_out"]["pictures"]} == {
        f"{i:03d}.png" for i in (7, 17, 27, 37)
    }
    written = (out / "measures.jsonl").read_bytes()
    assert call("reference", monkeypatch, *words) == 0  # nothing is measured again
    assert (out / "measures.jsonl").read_bytes() == written


def test_a_reference_model_of_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second goes on from the last network of the first, in its size and widths."""
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.chdir(tmp_path)
    reference, said = script("reference"), []

    def growgan(*words: object) -> str:
        said.append(" ".join(map(str, words)))
        models = Path("before", "models")
        models.mkdir(parents=True, exist_ok=True)
        for nimg in (100, 200):
            (models / f"snapshot-{nimg:012d}.safetensors").touch()
        return ""

    monkeypatch.setattr(reference, "growgan", growgan)
    given = dict.fromkeys(("parent", "hours", "run", "pictures"))
    args = argparse.Namespace(device="cpu", rehearse=False, **given)
    reference.Reference("faces-128", args).grow()
    first, second = said
    assert first.startswith("train --data train.zip --out before --from faces-64 --resolution 128 --preset transfer")
    last = Path("before", "models", "snapshot-000000000200.safetensors")
    assert (
        f"--out run --device cpu --kimg 160 --from {last} --preset transfer" in second and "--resolution" not in second
    )


def test_demo_data(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        main(["export", str(tiny_run), str(tmp_path / "m.safetensors"), "--license", "mine", "--card", "data=discs"])
        == 0
    )
    words = (tmp_path / "m.safetensors", "--count", "9", "--truncation", "0.8", "--quality", "90")
    for out in ("one.zip", "two.zip"):
        assert call("make_demo_data", monkeypatch, words[0], tmp_path / out, *words[1:]) == 0
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    model = load(tmp_path / "m.safetensors")
    with open_dataset(tmp_path / "one.zip") as dataset:
        assert dataset.sources[8] == "seed0008" and dataset.labels is None
        kept = dataset.images(range(9))
    for pixels, picture in zip(kept, model.sample(9, truncation=0.8)):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=90)
        with Image.open(file) as written:
            assert np.array_equal(pixels.transpose(1, 2, 0), np.asarray(written))
    notice = (tmp_path / "one.NOTICE.txt").read_text(encoding="utf-8")
    for part in (model.file.hash, "seeds 0 to 8", "truncation 0.8", "quality 90", "Licence: mine", "discs"):
        assert part in notice


@pytest.mark.slow
def test_compare_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run, its time and its measures become a row and a curve; a run that ended is not begun again."""
    compare = script("compare_recipes")
    short = {"schedule.initial_resolution": "8", "schedule.training_kimg": "0.1", "schedule.transition_kimg": "0"}
    small = {"network.fmap_base": "32", "network.fmap_max": "8", "snapshots.measure_images": "32"}
    ticks = {"schedule.tick_kimg": "0.1", "snapshots.model_ticks": "1"}
    monkeypatch.setattr(compare, "RECIPES", {"one": short | small | ticks})
    monkeypatch.setattr(compare, "METRICS", ("swd64", "kid64"))
    monkeypatch.setattr(compare, "ON_THE_WAY", ("kid64",))
    network = save_network(tmp_path / "net.pt")
    data, out = save_discs(tmp_path / "pictures", 96, sizes=((16, 16),)), tmp_path / "out"

    def act(name: str) -> None:
        words = ["compare", name, "--data", str(data), "--out", str(out), "--resolution", "16", "--kimg", "0.5"]
        words += ["--every", "0.2", "--inception", str(network)]
        monkeypatch.setattr(sys, "argv", words)
        compare.main()

    act("run")
    written = (out / "one-1" / "log.jsonl").read_bytes()
    for name in ("run", "measure", "time", "draw"):
        act(name)
    assert (out / "one-1" / "log.jsonl").read_bytes() == written
    swd, kid = compare.curves(out / "one-1", {"8": 60.0, "16": 600.0}).values()
    assert len(swd) == 3 and [kimg for kimg, *_ in kid] == [0.256, 0.512]  # after 0.2, and the last
    for first, *_, last in (swd, kid):
        assert first[2] != 0 and last[0] > first[0]
        assert last[1] - first[1] == pytest.approx(10 * 1000 * (last[0] - first[0]))
    head, _, row = (out / "table.md").read_text(encoding="utf-8").splitlines()
    assert "swd64" in head and "kid64" in head and row.startswith("| one | 1 |")
    with Image.open(out / "curves.png") as picture:
        assert picture.width > 500


def test_compare_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The winograd run took what it was told to, and a row for each way says how far it is from the plain one."""
    compare = script("compare_ways")
    narrow = {"network.fmap_base": "256", "network.fmap_max": "32", "snapshots.measure_images": "16"}
    monkeypatch.setattr(compare, "COMMON", compare.COMMON | narrow)
    data, out = save_discs(tmp_path / "pictures", 32, sizes=((16, 16),)), tmp_path / "out"
    for act in ("run", "draw"):
        words = ["compare", act, "plain", "winograd", "--data", str(data), "--out", str(out), "--resolutions", "16"]
        monkeypatch.setattr(sys, "argv", [*words, "--seeds", "1", "--kimg", "0.064", "--tick", "0.064"])
        compare.main()
    taken = json.loads((out / "winograd-16-1" / "ways.json").read_text(encoding="utf-8"))
    same_size = [name for name in taken if " up: " not in name and " down: " not in name]
    assert all(name.endswith("winograd 4") for name in same_size) and len(same_size) >= 12
    assert not (out / "plain-16-1" / "ways.json").exists()
    _, _, plain, other = (out / "table.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in (plain, other)]
    assert [row[2] for row in cells] == ["plain", "winograd"] and cells[0][-1] == ""
    assert float(cells[1][-1]) == pytest.approx(float(cells[1][6]) - float(cells[0][6]), abs=0.002)
