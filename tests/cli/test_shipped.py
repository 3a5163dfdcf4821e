"""The models in the package: found by name, at once and offline; each with all that others have to know of it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import make_nets, make_spec

from growgan.cli.main import build_parser, main
from growgan.core import shipped
from growgan.core.errors import ModelError
from growgan.models.inspect import inspect
from growgan.models.native import save_model
from growgan.sampling.model import load
from growgan.sampling.sources import find

MOST_MB = 40
WORDS = {
    "title": "",
    "license": "",
    "data": "non-commercial",
    "intended_use": "",
    "limits": "",
    "notes": "growgan train",
}
"""What a shipped card has to have, and a word that has to be in it."""
MEASURES = ("swd", "msssim", "fid", "kid", "pr_inception")


def faults(path: Path) -> Iterator[str]:
    """What a file lacks to be shipped."""
    found = inspect(path)
    file = found.file
    if sorted(found.networks) != ["D", "G_ema"]:
        yield f"holds {sorted(found.networks)}, not G_ema and D"
    if found.dtypes != ["F16"]:
        yield f"is in {found.dtypes}"
    if not found.truncation:
        yield "lacks the mean for truncation"
    if (size := re.search(r"-(\d+)$", path.stem)) and int(size[1]) != file.resolution:
        yield f"is called {path.stem} and makes {file.resolution}x{file.resolution}"
    for field, word in WORDS.items():
        if not file.card.get(field) or word not in file.card[field]:
            yield f"its card lacks {field}" + (f" with {word!r}" if word else "")
    for metric in MEASURES:
        if not any(name.startswith(metric) for name in file.measures):
            yield f"has no measure {metric}"
    for name, measure in file.measures.items():
        if not (math.isfinite(measure["value"]) and measure["images"] > 0):
            yield f"{name} is no number with a count"
        if name.startswith(("swd", "fid")) and not measure["reference"]:
            yield f"{name} lacks what reals give"
    if "/" in json.dumps([measure.get("against", "") for measure in file.measures.values()]):
        yield "tells paths of the machine that measured"


def total_mb() -> float:
    return sum(path.stat().st_size for path in shipped.shipped().values()) / 1e6


def test_whatever_is_shipped_is_fit_for_it() -> None:
    found = {name: list(faults(path)) for name, path in shipped.shipped().items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert total_mb() <= MOST_MB
    for name in shipped.shipped():
        model = load(name)
        pixels = model.sample(6, kind="numpy")
        assert pixels.shape[1:] == (model.resolution, model.resolution, model.spec.channels)
        assert pixels.std(axis=0).mean() > 10  # pictures, and not one alone


def test_the_folder_says_whose_licence_it_is_under() -> None:
    assert "not** under the Apache-2.0" in (shipped.FOLDER / "README.md").read_text(encoding="utf-8")


MakeShipped = Callable[..., Path]
REFERENCE = {"value": 1.0, "images": 8}
GOOD: dict[str, Any] = {
    "measures": {f"{name}8": {"value": 1.0, "images": 8, "reference": REFERENCE} for name in MEASURES},
    "card": {field: word or "text" for field, word in WORDS.items()},
    "training": {"nimg": 100},
    "half": True,
}


@pytest.fixture
def make_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeShipped:
    """Puts a small model into a folder that stands for the package's."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(shipped, "FOLDER", folder)

    def make(name: str = "discs-16", networks: tuple[str, ...] = ("G_ema", "D"), **changed: Any) -> Path:
        G, D = make_nets(make_spec())
        path = folder / f"{name}.safetensors"
        mean = torch.zeros(1, G.spec.width(4), 4, 4) if changed.pop("truncation", True) else None
        save_model(path, {n: D if n == "D" else G for n in networks}, truncation_mean=mean, **{**GOOD, **changed})
        return path

    return make


def test_the_rules_pass_what_is_whole(make_shipped: MakeShipped) -> None:
    make_shipped()
    test_whatever_is_shipped_is_fit_for_it()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"networks": ("G_ema",)}, "holds ['G_ema'], not G_ema and D"),
        ({"networks": ("G_ema", "G", "D")}, "holds ['D', 'G', 'G_ema'], not G_ema and D"),
        ({"half": False}, "is in ['F32']"),
        ({"truncation": False}, "lacks the mean for truncation"),
        ({"name": "discs-32"}, "is called discs-32 and makes 16x16"),
        ({"card": GOOD["card"] | {"license": ""}}, "its card lacks license"),
        ({"card": GOOD["card"] | {"data": "faces"}}, "its card lacks data with 'non-commercial'"),
        ({"measures": {}}, "has no measure fid"),
        (
            {"measures": GOOD["measures"] | {"fid8": {"value": 1.0, "images": 0, "reference": REFERENCE}}},
            "fid8 is no number",
        ),
        ({"measures": GOOD["measures"] | {"swd8": {"value": 1.0, "images": 8, "reference": None}}}, "swd8 lacks what"),
        ({"measures": GOOD["measures"] | {"is8": {"value": 1.0, "images": 8, "against": "/home/me/x"}}}, "tells paths"),
    ],
)
def test_the_rules_find_what_they_are_for(make_shipped: MakeShipped, changed: dict[str, Any], fault: str) -> None:
    found = list(faults(make_shipped(**changed)))
    assert any(line.startswith(fault) for line in found), found
    with pytest.raises(AssertionError):
        test_whatever_is_shipped_is_fit_for_it()


def test_files_that_are_too_large_together(make_shipped: MakeShipped, monkeypatch: pytest.MonkeyPatch) -> None:
    make_shipped()
    monkeypatch.setitem(globals(), "MOST_MB", 0.001)
    with pytest.raises(AssertionError):
        test_whatever_is_shipped_is_fit_for_it()


def test_found_by_name(make_shipped: MakeShipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_shipped()
    monkeypatch.chdir(tmp_path)
    assert find("discs-16") == path
    assert np.array_equal(load("discs-16").sample(2, kind="numpy"), load(path).sample(2, kind="numpy"))
    (tmp_path / "discs-16").mkdir()  # where `generate discs-16 --out discs-16` has put pictures
    assert find("discs-16") == path
    (tmp_path / "discs-16" / "models").mkdir()  # a run of the user's own
    with pytest.raises(ModelError, match="holds no model"):
        find("discs-16")


def test_names_are_told(make_shipped: MakeShipped, growgan: Any) -> None:
    with pytest.raises(ModelError, match=r"or shipped model; this version ships none$"):
        find("discs-16")
    for name in ("discs-128", "discs-16", "cats-16"):
        make_shipped(name)
    assert list(shipped.shipped()) == ["cats-16", "discs-16", "discs-128"]
    assert (
        "did you mean discs-128? shipped models: cats-16, discs-16, discs-128" in growgan("info", "Discs_128").refusal()
    )
    with pytest.raises(ModelError, match=r"or shipped model; shipped models: cats-16, discs-16, discs-128$"):
        find("weather")
    for command in ("generate", "info", "export", "push", "neighbours", "train"):
        said = " ".join(growgan(command, "--help").out.split())
        assert "or a shipped model: cats-16, discs-16, discs-128" in said


def test_commands_take_a_name(make_shipped: MakeShipped, growgan: Any, tmp_path: Path) -> None:
    make_shipped()
    assert growgan("generate", "discs-16", "--grid", "8x4", "--out", tmp_path / "grid.png").status == 0
    said = growgan("info", "discs-16").out
    assert "non-commercial" in said and "fid8 1 (8 pictures)" in said
    assert json.loads(growgan("info", "discs-16", "--json").out)["card"] == GOOD["card"]


def test_training_goes_on_from_a_name(
    make_shipped: MakeShipped, growgan: Any, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_shipped()
    words = ("train", "--from", "discs-16", "--data", colour_set, "--out", "mine", "--kimg", "0.032", "--dry-run")
    start = json.loads(growgan(*words).out)["start"]
    assert (start["model"], start["content_hash"]) == ("discs-16", load(path).file.hash)
    (tmp_path / "discs-16").mkdir()
    assert json.loads(growgan(*words).out)["start"] == start
    assert growgan(*words[:-1]).status == 0 and growgan(*words[:-1]).status == 0  # trained, and taken up again


def test_a_name_is_looked_up_without_torch(make_shipped: MakeShipped) -> None:
    path = make_shipped()
    script = (
        "import sys\nfrom pathlib import Path\nfrom growgan.core import shipped\n"
        f"shipped.FOLDER = Path({str(path.parent)!r})\n"
        "from growgan.cli.main import main\nstatus = main(['info', 'discs-16'])\n"
        "assert status == 0 and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_all_that_lies_in_the_package(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    root = shipped.FOLDER.parents[2]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("installed without its sources")
    (built,) = wheel.WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    package = root / "src"
    wanted = {
        str(path.relative_to(package))
        for path in (package / "growgan").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.parent.name.endswith(".pyramid")
    }
    assert "growgan/shipped/README.md" in wanted
    assert wanted - names == set()


def test_the_parser_is_built_without_looking_at_models(make_shipped: MakeShipped) -> None:
    (shipped.FOLDER / "broken-16.safetensors").write_bytes(b"no model")
    build_parser()
    assert main(["info", "broken-16"]) == 2
