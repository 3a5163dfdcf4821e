"""The measures that choose a run's best snapshot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from discs import TINY
from feature_nets import save_network

from growgan.cli.main import main
from growgan.core.errors import ModelError
from growgan.metrics.inception import FeatureNetwork
from growgan.models.native import open_model
from growgan.training import measure


def test_a_run_may_choose_its_best_by_kid(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = save_network(tmp_path / "net.pt")
    monkeypatch.setattr(measure, "find_inception", lambda: network)
    run = tmp_path / "run"
    assert main(["train", "--data", str(colour_set), "--out", str(run), *TINY, "--set", "snapshots.measure=kid"]) == 0
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    found = [entry["measures"]["kid"] for entry in entries if "measures" in entry]
    assert [entry["resolution"] for entry in found] == [4, 8, 16]
    assert all(entry["images"] == 64 and entry["value"] > 0 for entry in found)
    assert found[-1]["protocol"] == FeatureNetwork(network, "legacy").name
    assert open_model(run / "models" / "best.safetensors").measures["kid"] == found[-1]
    assert f"kid {found[-1]['value']:.2g}" in capsys.readouterr().err


def test_without_weights_no_step_is_done(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> Path:
        raise ModelError("no weights")

    monkeypatch.setattr(measure, "find_inception", refuse)
    words = ["train", "--data", str(colour_set), "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--set", "snapshots.measure=kid"]) == 2
    assert capsys.readouterr().err.endswith("growgan: no weights\n")
    assert not (tmp_path / "run" / "log.jsonl").exists()
    assert main([*words, "--set", "snapshots.measure=none", "--kimg", "0.064"]) == 0
