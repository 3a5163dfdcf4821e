from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from discs import save_discs
from feature_nets import save_network
from PIL import Image

from growgan.core.errors import ConfigError, DataError, ModelError
from growgan.core.runfiles import is_run
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.data.reals import Reals
from growgan.evaluation import evaluator, subjects
from growgan.evaluation.evaluate import LESS, Settings, evaluate
from growgan.evaluation.measures import KINDS
from growgan.evaluation.requests import parse_requests
from growgan.evaluation.results import Result
from growgan.evaluation.subjects import list_snapshots
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.ms_ssim import ms_ssim_pairs
from growgan.metrics.swd import Descriptors, descriptor_bytes, swd
from growgan.models.native import open_model, save_model
from growgan.sampling.model import load

Take = Callable[..., list[Result]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("net") / "net.pt")


@pytest.fixture
def take(network: Path) -> Take:
    def run(subject: Path, data: Path, names: str, **more: Any) -> list[Result]:
        said = more.pop("said", [])
        settings = Settings(**{"inception": network, "device": torch.device("cpu"), **more})
        requests = parse_requests(names, None, is_run(subject))
        return list(evaluate(str(subject), data, requests, settings, say=said.append))

    return run


def described(pixels: Any, seed: int) -> Descriptors:
    descriptors = Descriptors(seed)
    descriptors.add(pixels)
    return descriptors


def test_a_model_is_measured_by_the_definitions(take: Take, tiny_run: Path, colour_set: Path) -> None:
    path = tiny_run / "models" / "best.safetensors"
    distance, similarity = take(path, colour_set, "swd64,msssim32", seed=3)
    fakes = load(path).sample(64, seed=5_000_000, kind="tensor")
    with open_dataset(colour_set) as dataset:
        reals = Reals(dataset, 16, mirrored=True)  # as the run trained
        expected = swd(described(reals.pixels(0, 64), 8), described(fakes, 9), seed=4)
        among = swd(described(reals.pixels(0, 48), 8), described(reals.pixels(48, 96), 9), seed=4)
        assert distance.value == pytest.approx(expected.average)
        assert distance.levels == expected.levels
        assert distance.reference is not None
        assert (distance.reference.value, distance.reference.images) == (among.average, 48)
        assert similarity.value == pytest.approx(ms_ssim_pairs([fakes[:32]]), abs=1e-4)
        assert similarity.reference is not None
        assert similarity.reference.value == pytest.approx(ms_ssim_pairs([reals.pixels(0, 32)]))
        assert similarity.reference.images == 32
        assert (distance.metric, similarity.metric) == ("swd64", "msssim32")
        assert (distance.images, distance.real_images, similarity.real_images) == (64, 64, None)
        assert distance.against_hash == dataset.content_hash
    assert distance.subject_hash == load(path).file.hash
    assert (distance.seed, distance.protocol, distance.mirrored, distance.snapshot) == (3, "pixels", True, path.name)


def test_a_run_is_measured_snapshot_by_snapshot(take: Take, tiny_run: Path, colour_set: Path) -> None:
    said: list[str] = []
    found = take(tiny_run, colour_set, "swd32,fid40", said=said)
    snapshots = [model.path.name for model in list_snapshots(tiny_run)]
    # The last snapshot is the milestone of its stage, and the best, as well.
    assert snapshots == [
        "stage-0004x0004.safetensors",
        *("snapshot-000000000192.safetensors", "stage-0008x0008.safetensors"),
        *("snapshot-000000000256.safetensors", "snapshot-000000000320.safetensors"),
    ]
    assert [result.snapshot for result in found if result.metric == "fid40"] == snapshots
    clocks = [result.nimg for result in found]
    assert clocks == sorted(clocks, key=lambda nimg: nimg or 0)
    assert said == ["stage-0004x0004.safetensors: swd is not defined for 4x4 pictures"]
    assert {result.resolution for result in found} == {4, 8, 16}
    # At one size the reals are the same.
    assert len({result.reference for result in found if result.metric == "fid40" and result.resolution == 16}) == 1
    assert take(tiny_run, colour_set, "swd32,fid40") == found


def test_fid_shows_a_small_set_again_and_the_others_take_fewer(take: Take, tiny_run: Path, colour_set: Path) -> None:
    best = tiny_run / "models" / "best.safetensors"
    found = {result.metric: result for result in take(best, colour_set, "fid120,kid120,pr_inception120")}
    assert list(found) == ["fid120", "kid96", "pr_inception96_precision", "pr_inception96_recall"]
    assert (found["fid120"].images, found["fid120"].real_images) == (120, 120)
    assert all(result.reference is not None and result.reference.images == 48 for result in found.values())
    assert found["fid120"].value > found["fid120"].reference.value  # type: ignore[union-attr]


def test_full_takes_all_reals_and_beside_it_reals_against_all_others(
    take: Take, tiny_run: Path, colour_set: Path
) -> None:
    best = tiny_run / "models" / "best.safetensors"
    few, many = take(best, colour_set, "fid40_full,fid60_full")
    assert (few.metric, few.images, few.real_images, few.mirrored) == ("fid40_full", 40, 192, True)
    assert few.reference is not None and (few.reference.images, few.reference.real_images) == (40, 56)
    assert many.reference is None  # 60 reals against 36 are another measure
    (repeated,) = take(best, colour_set, "fid200")
    assert (repeated.real_images, repeated.distinct_reals) == (200, 192)


def test_a_model_knows_that_it_was_trained_on_mirrored_pictures(
    take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path
) -> None:
    best = tiny_run / "models" / "best.safetensors"
    (there,) = take(best, colour_set, "fid40")
    (alone,) = take(Path(shutil.copy(best, tmp_path / "alone.safetensors")), colour_set, "fid40")
    assert alone.mirrored and alone.value == there.value
    old, said = open_model(best), []
    training = {name: value for name, value in old.training.items() if name != "mirror"}
    save_model(tmp_path / "old.safetensors", {"G_ema": old.generator()}, training=training)
    (unknown,) = take(tmp_path / "old.safetensors", colour_set, "fid40", said=said)
    assert not unknown.mirrored and "does not say if it was trained on mirrored" in said[0]
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.copy(tmp_path / "old.safetensors", run / "models" / "best.safetensors")
    assert take(run / "models" / "best.safetensors", colour_set, "fid40")[0].mirrored


def test_what_cannot_be_taken_leaves_the_rest(
    take: Take, tiny_run: Path, colour_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, said = tiny_run / "models" / "best.safetensors", []
    found = take(best, colour_set, "fid3,pr_inception3,kid3", said=said)
    assert [result.metric for result in found] == ["fid3", "kid3"]
    assert said == ["best.safetensors: pr_inception needs at least 4 pictures and has 3"]
    monkeypatch.setattr(evaluator, "free_memory", lambda device: 1e5)
    said.clear()
    assert [result.metric for result in take(best, colour_set, "swd40,fid40", said=said)] == ["fid40"]
    assert "swd40: it needs about" in said[0] and "0.1 MiB is free" in said[0]
    with pytest.raises(ConfigError, match="swd40: it needs about"):
        take(best, colour_set, "swd40")


def test_what_fails_leaves_the_rest(
    take: Take,
    tiny_run: Path,
    colour_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A cache that cannot be written, and memory that runs out in the midst of a measure."""
    best, said = tiny_run / "models" / "best.safetensors", []
    (tmp_path / "file").touch()
    with monkeypatch.context() as patch:
        patch.setenv("GROWGAN_CACHE", str(tmp_path / "file" / "cache"))
        assert [result.metric for result in take(best, colour_set, "fid8,swd8", said=said)] == ["fid8", "swd8"]
    assert said == [] and "warning: features are not kept for another time: cannot" in capsys.readouterr().err

    def full(bench: object, reals: object, fakes: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setitem(KINDS, "swd", replace(KINDS["swd"], take=full))
    said.clear()
    assert [result.metric for result in take(best, colour_set, "swd8,fid8", said=said)] == ["fid8"]
    assert said == ["best.safetensors: swd8: out of memory (8 bytes more needed): " + LESS]


def test_a_snapshot_that_is_replaced_meanwhile_is_the_one_that_was_measured(
    take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    best = Path(shutil.copy(tiny_run / "models" / "snapshot-000000000192.safetensors", models / "best.safetensors"))
    (later,) = (model for model in list_snapshots(tiny_run) if model.training["nimg"] == 320)

    def replaced(*args: Any) -> Any:
        shutil.copy(later.path, best)
        return load(*args)

    monkeypatch.setattr(subjects, "load", replaced)
    (found,) = take(best, colour_set, "msssim8")
    assert (found.nimg, found.subject_hash) == (320, later.hash)


def test_a_model_is_measured_alike_in_its_run_and_beside_it(
    take: Take, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other pictures than the run's own are brought to the model's size, also where the preset names none."""
    photos = save_discs(tmp_path / "photos", 12, sizes=((40, 36),))
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["data"]["build_resolution"] = None
    (run / "config.json").write_text(json.dumps(config))
    inside = run / "models" / "best.safetensors"
    outside = Path(shutil.copy(inside, tmp_path))
    one, other = (take(path, photos, "msssim8")[0] for path in (inside, outside))
    assert one.against_hash == other.against_hash and one.reference == other.reference


def test_reals_that_are_kept_count_as_free_for_the_next_snapshot(
    take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, said = Path(shutil.copytree(tiny_run, tmp_path / "run")), []
    largest = [model.path for model in list_snapshots(run) if model.resolution == 16]
    for path in set((run / "models").iterdir()) - set(largest[-2:]):
        path.unlink()
    needed, held = descriptor_bytes(40, 16), described(np.zeros((40, 3, 16, 16), np.uint8), 0).nbytes
    for less, measured in ((held, 2), (held + 1, 1)):
        free = iter([needed, needed - less])
        monkeypatch.setattr(evaluator, "free_memory", lambda device, free=free: float(next(free)))
        assert len(take(run, colour_set, "swd40", said=said)) == measured
    assert len(said) == 1 and "it needs about" in said[0]


def test_a_snapshot_that_is_damaged_or_gone_is_left_out(
    take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path
) -> None:
    run, said = Path(shutil.copytree(tiny_run, tmp_path / "run")), []
    damaged = run / "models" / "snapshot-000000000192.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    settings = Settings(device=torch.device("cpu"))
    results = evaluate(str(run), colour_set, parse_requests("msssim8", None, True), settings, say=said.append)
    found = [next(results).snapshot]
    (run / "models" / "snapshot-000000000256.safetensors").unlink()
    found += [result.snapshot for result in results]
    assert found == [f"{name}.safetensors" for name in ("stage-0004x0004", "stage-0008x0008", "snapshot-000000000320")]
    assert "is not a complete .safetensors file" in said[0] and "snapshot-000000000256" in said[1]
    for path in (run / "models").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"no snapshot of the run .* can be read"):
        take(run, colour_set, "msssim8")


def test_requests_that_come_to_the_same_are_taken_once(take: Take, tiny_run: Path, colour_set: Path) -> None:
    said: list[str] = []
    found = take(tiny_run / "models" / "best.safetensors", colour_set, "swd100,swd200", said=said)
    assert [result.metric for result in found] == ["swd96"]
    assert said[0] == "set.zip holds 96 pictures: swd100 becomes swd96"


def test_numbers_that_are_not_finite_are_no_numbers(
    take: Take, tiny_run: Path, colour_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureNetwork, "_run", lambda self, images, **more: torch.full((len(images), 4), torch.nan))
    with pytest.raises(ConfigError, match=r"fid8: .*net\.pt returns numbers that are not finite; .*: kid8: "):
        take(tiny_run / "models" / "best.safetensors", colour_set, "fid8,kid8")


def test_sizes_are_settled_before_the_first_number(
    take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path
) -> None:
    build(save_discs(tmp_path / "small", 8, sizes=((8, 8),)), tmp_path / "small.zip")
    tiny = save_discs(tmp_path / "tiny", 8, sizes=((12, 10),))
    for small in (tmp_path / "small.zip", tiny):
        said = f"{small}: its pictures reach 8x8, below the 16x16 of .* data build .*--resolution 16"
        with pytest.raises(DataError, match=said):
            take(tiny_run, small, "msssim8")
    photos = save_discs(tmp_path / "photos", 8, sizes=((40, 30),))
    (found,) = take(photos, colour_set, "swd8")  # a set is made of them, at the size of --data
    assert found.resolution == 16
    (found,) = take(Path(shutil.copy(tiny_run / "models" / "best.safetensors", tmp_path)), photos, "swd8")
    assert found.resolution == 16


def test_grey_against_colour_is_said(take: Take, colour_set: Path, tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "grey").mkdir()
    for path in save_discs(tmp_path / "colour", 8).iterdir():
        Image.open(path).convert("L").save(tmp_path / "grey" / path.name)
    take(tmp_path / "grey", colour_set, "swd8", said=said)
    assert said[0].startswith("grey has grey pictures, ") and "three equal channels" in said[0]


def test_sets_are_compared_and_a_set_is_at_no_distance_from_itself(
    take: Take, colour_set: Path, tmp_path: Path
) -> None:
    build(save_discs(tmp_path / "red", 60, (255, 0, 0)), tmp_path / "red.zip")
    same = take(colour_set, colour_set, "fid96,swd96")
    other = take(tmp_path / "red.zip", colour_set, "fid96,swd96")
    assert same[0].value == pytest.approx(0, abs=1e-6)
    assert [result.metric for result in other] == ["fid60", "swd60"]
    for result in other:
        assert result.reference is not None and result.value > 3 * result.reference.value
        assert result.snapshot is None and result.subject == str(tmp_path / "red.zip")


def test_the_protocol_is_part_of_name_and_result(take: Take, tiny_run: Path, colour_set: Path) -> None:
    best = tiny_run / "models" / "best.safetensors"
    (legacy,), (clean,) = (take(best, colour_set, "kid40", protocol=protocol) for protocol in ("legacy", "clean"))
    assert (legacy.metric, clean.metric) == ("kid40", "kid40_clean")
    assert legacy.protocol.endswith("/bilinear-tf1") and clean.protocol.endswith("/bicubic-antialiased")
    assert legacy.value != clean.value


def test_other_seeds_other_fakes(take: Take, tiny_run: Path, colour_set: Path) -> None:
    best = tiny_run / "models" / "best.safetensors"
    values = {take(best, colour_set, "fid30", seed=seed)[0].value for seed in (0, 1, 0)}
    assert len(values) == 2


def test_what_lacks_a_network_is_said_and_left_out(take: Take, tiny_run: Path, colour_set: Path) -> None:
    best, said = tiny_run / "models" / "best.safetensors", []
    found = take(best, colour_set, "is,kid20,pr", said=said)
    assert [result.metric for result in found] == ["kid20"]
    assert said[0].startswith("is: the Inception Score needs the network's logits, which net.pt does not have")
    assert said[1].startswith(
        "pr: precision and recall as published need VGG-16 features: pass a TorchScript file with --vgg"
    )
    with pytest.raises(ConfigError, match=r"is: the Inception Score .*; pr: precision and recall"):
        take(best, colour_set, "is,pr")


def test_with_logits_and_vgg_nothing_is_left_out(take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path) -> None:
    best = tiny_run / "models" / "best.safetensors"
    whole, vgg = save_network(tmp_path / "whole.pt", "logits"), save_network(tmp_path / "vgg.pt", "switched")
    score, precision, recall = take(best, colour_set, "is40,pr40", inception=whole, vgg=vgg)
    assert score.metric == "is40" and 1 <= score.value <= 7 and score.deviation is not None
    assert score.reference is not None and score.real_images is None
    assert (precision.metric, recall.metric) == ("pr40_precision", "pr40_recall")
    assert precision.protocol.startswith("vgg16:")


def test_sets_too_small_to_be_halved_have_no_reference(take: Take, colour_set: Path, tmp_path: Path) -> None:
    build(save_discs(tmp_path / "few", 3), tmp_path / "few.zip")
    (found,) = take(colour_set, tmp_path / "few.zip", "swd")
    assert (found.metric, found.reference) == ("swd3", None)


def test_a_run_without_a_snapshot_is_refused(take: Take, tiny_run: Path, colour_set: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "models").mkdir(parents=True)
    shutil.copy(tiny_run / "config.json", tmp_path / "run")
    with pytest.raises(ModelError, match="has no snapshot yet"):
        take(tmp_path / "run", colour_set, "swd")
