"""The measures that choose a run's best snapshot."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from discs import TINY
from feature_nets import save_network

from growgan.cli.main import main
from growgan.core.errors import ModelError
from growgan.core.runfiles import RunFiles
from growgan.data.dataset import open_dataset
from growgan.data.reals import Reals
from growgan.metrics.features import FeatureStore
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.streams import Sample
from growgan.metrics.swd import Descriptors, swd
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
    found = [entry["measures"]["kid64"] for entry in entries if "measures" in entry]
    assert [entry["resolution"] for entry in found] == [4, 8, 16]
    assert all(entry["images"] == 64 and entry["value"] > 0 for entry in found)
    assert all(entry["seed"] == 1_000_000 and entry["reference"]["images"] == 32 for entry in found)
    assert found[-1]["protocol"] == FeatureNetwork(network, "legacy").name
    assert open_model(run / "models" / "best.safetensors").measures["kid64"] == found[-1]
    assert f"kid64 {found[-1]['value']:.2g}" in capsys.readouterr().err


def test_without_weights_no_step_is_done(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> Path:
        raise ModelError("no weights")

    monkeypatch.setattr(measure, "find_inception", refuse)
    words = ["train", "--data", str(colour_set), "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--set", "snapshots.measure=kid"]) == 2
    assert capsys.readouterr().err.endswith("growgan: no weights\n")
    assert not (tmp_path / "run").exists()
    assert main([*words, "--set", "snapshots.measure=none", "--kimg", "0.064"]) == 0


def entries(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_swd_says_what_it_is_and_what_reals_give(tiny_run: Path, colour_set: Path) -> None:
    found = [m for entry in entries(tiny_run) for m in entry.get("measures", {}).values()]
    (last,) = [entry for entry in found if entry["resolution"] == 16][-1:]
    assert (last["name"], last["protocol"], last["seed"], last["mirrored"]) == ("swd64", "pixels", 1_000_000, True)
    with open_dataset(colour_set) as dataset:
        reals, half = Reals(dataset, 16, mirrored=True), len(dataset) // 2
        sets = [Descriptors(0), Descriptors(1)]
        for k, described in enumerate(sets):
            described.add(reals.pixels(k * half, (k + 1) * half))
        assert last["reference"]["images"] == half
        assert last["reference"]["value"] == pytest.approx(swd(*sets).average)
        assert last["against_hash"] == dataset.content_hash


def kid_run(run: Path, data: Path, network: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(measure, "find_inception", lambda: network)
    return main(["train", "--data", str(data), "--out", str(run), *TINY, "--set", "snapshots.measure=kid"])


def test_a_network_that_fails_ends_no_run(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kid_run(tmp_path / "run", colour_set, save_network(tmp_path / "net.pt", "wrong"), monkeypatch) == 0
    assert "this snapshot was not measured: " in capsys.readouterr().err
    assert not any("measures" in entry for entry in entries(tmp_path / "run"))
    assert RunFiles(tmp_path / "run").snapshots()


def test_features_of_reals_are_those_of_evaluate_and_kept(
    colour_set: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = save_network(tmp_path / "net.pt")
    assert kid_run(tmp_path / "run", colour_set, network, monkeypatch) == 0
    kept = {path.parent.name for path in (cache / "features").rglob("*.npy")}
    with open_dataset(colour_set) as dataset:
        store = FeatureStore(FeatureNetwork(network, "legacy"), 8)
        for size in (4, 8, 16):
            monkeypatch.setattr(Reals, "pixels", pytest.fail)
            assert len(store.all_rows(Sample(Reals(dataset, size, mirrored=True), 0, 64))) == 64
    assert len(kept) == 3


def test_a_long_measure_gives_way_to_a_stop_and_the_snapshot_is_there(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = measure.KidMeasure._look_at_fakes

    def stopping(self: measure.KidMeasure, state: Any, phase: Any, batch: range) -> Any:
        assert RunFiles(tmp_path / "run").snapshot(state.nimg).is_file()
        self.stop.asked = signal.SIGTERM  # type: ignore[union-attr]
        return looked(self, state, phase, batch)

    monkeypatch.setattr(measure, "BATCH", 16)
    monkeypatch.setattr(measure.KidMeasure, "_look_at_fakes", stopping)
    kid_run(tmp_path / "run", colour_set, save_network(tmp_path / "net.pt"), monkeypatch)
    assert "not measured: the run is stopping" in capsys.readouterr().err
    assert len(entries(tmp_path / "run")) == 1


def test_memory_that_runs_out_in_a_measure_ends_no_run(
    colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither where pictures are made, nor where they are compared; and it is not taken for the step's fault."""

    def no_room(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")

    words = ["train", "--data", str(colour_set), *TINY]
    for place, name in ((measure.SwdMeasure, "fakes"), (Descriptors, "add"), (measure, "swd")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, no_room)
            run = tmp_path / name
            assert main([*words, "--out", str(run)]) == 0
        said = capsys.readouterr().err
        assert (
            "not measured: out of memory (2.00 GiB more needed): turn it off with --set snapshots.measure=none" in said
        )
        assert RunFiles(run).snapshots() and not any("measures" in entry for entry in entries(run))


def test_fewer_large_pictures_are_made_at_once() -> None:
    assert [measure.batch_size(size) for size in (16, 256, 512, 1024)] == [64, 64, 16, 4]
