from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from discs import save_discs
from feature_nets import save_network

from growgan.core.errors import ConfigError, ModelError
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.evaluation.evaluate import Settings, evaluate, is_run, list_snapshots
from growgan.evaluation.requests import parse_requests
from growgan.evaluation.results import Result
from growgan.evaluation.sources import Reals
from growgan.metrics.ms_ssim import ms_ssim_pairs
from growgan.metrics.swd import Descriptors, swd
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
    fakes = load(path).sample(64, seed=4_000_000, kind="tensor")
    with open_dataset(colour_set) as dataset:
        reals = Reals(dataset, 16, mirrored=True)  # as the run trained
        expected = swd(described(reals.pixels(0, 64), 6), described(fakes, 7), seed=3)
        among = swd(described(reals.pixels(0, 48), 6), described(reals.pixels(48, 96), 7), seed=3)
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
    snapshots = [path.name for path in list_snapshots(tiny_run)]
    # The last snapshot is the milestone of its stage, and the best, as well.
    assert snapshots == [
        "stage-0004x0004.safetensors",
        *("snapshot-000000000192.safetensors", "stage-0008x0008.safetensors"),
        *("snapshot-000000000256.safetensors", "snapshot-000000000320.safetensors"),
    ]
    assert [result.snapshot for result in found if result.metric == "fid40"] == snapshots
    clocks = [result.nimg for result in found]
    assert clocks == sorted(clocks, key=lambda nimg: nimg or 0)
    assert said == ["stage-0004x0004.safetensors: swd is not defined for pictures of 4x4"]
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


def test_full_takes_all_reals_mirrored_as_in_training(take: Take, tiny_run: Path, colour_set: Path) -> None:
    best = tiny_run / "models" / "best.safetensors"
    (found,) = take(best, colour_set, "fid40_full")
    assert (found.metric, found.images, found.real_images, found.mirrored) == ("fid40_full", 40, 192, True)
    (alone,) = take(Path(shutil.copy(best, colour_set.parent / "alone.safetensors")), colour_set, "fid40_full")
    assert (alone.real_images, alone.mirrored) == (96, False)


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
    assert said[0].startswith("is: the Inception Score needs the network's logits, which net.pt lacks")
    assert said[1].startswith("pr: precision and recall as published need VGG-16's features: --vgg names")
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
