from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from feature_nets import save_network

from growgan.core.progress import Progress
from growgan.metrics import features
from growgan.metrics.features import FeatureStore
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.streams import Sample


class Noise:
    """Pictures of noise; remembers which were asked for."""

    def __init__(self, key: str = "noise") -> None:
        self.name, self.key, self.resolution, self.channels = "noise", key, 16, 3
        self.distinct: int | None = None
        self.asked: list[int] = []

    def pixels(self, start: int, stop: int) -> np.ndarray:
        self.asked += range(start, stop)
        parts = [np.random.default_rng(i).integers(0, 256, (1, 3, 16, 16), dtype=np.uint8) for i in range(start, stop)]
        return np.concatenate(parts)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "PER_FILE", 8)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> FeatureNetwork:
    return FeatureNetwork(save_network(tmp_path_factory.mktemp("net") / "net.pt", "logits"), "legacy")


@pytest.fixture
def store(network: FeatureNetwork) -> FeatureStore:
    return FeatureStore(network, batch=3)


def same(found: torch.Tensor, network: FeatureNetwork, start: int, stop: int) -> None:
    expected = network.features(Noise().pixels(start, stop))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_features_are_computed_once(store: FeatureStore, network: FeatureNetwork) -> None:
    source = Noise()
    same(store.all_rows(Sample(source, 0, 20)), network, 0, 20)
    assert source.asked == [*range(20)]
    same(store.all_rows(Sample(source, 5, 19)), network, 5, 19)
    assert source.asked == [*range(20)]


def test_more_images_begin_with_those_that_are_there(store: FeatureStore, network: FeatureNetwork) -> None:
    source = Noise()
    store.all_rows(Sample(source, 0, 11))
    same(store.all_rows(Sample(source, 0, 30)), network, 0, 30)
    assert source.asked == [*range(30)]


def test_work_that_is_broken_off_goes_on(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    source, plain = Noise(), Noise.pixels

    def stops(self: Noise, start: int, stop: int) -> np.ndarray:
        if start >= 12:
            raise KeyboardInterrupt
        return plain(self, start, stop)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Noise, "pixels", stops)
        store.all_rows(Sample(source, 0, 30))
    store.all_rows(Sample(source, 0, 30))
    assert source.asked == [*range(30)]


def test_a_damaged_file_is_made_anew(store: FeatureStore, network: FeatureNetwork, cache: Path) -> None:
    source = Noise()
    store.all_rows(Sample(source, 0, 10))
    path = next(cache.rglob("000000.npy"))
    path.write_bytes(path.read_bytes()[:200])
    same(store.all_rows(Sample(source, 0, 10)), network, 0, 10)
    assert source.asked == [*range(10), *range(8)]


def test_other_pictures_networks_and_outputs_are_kept_apart(network: FeatureNetwork, cache: Path) -> None:
    clean = FeatureNetwork(network.path, "clean")
    for of in (network, clean):
        for key in ("a", "b"):
            FeatureStore(of, 4).all_rows(Sample(Noise(key), 0, 4))
    assert FeatureStore(network, 4).all_rows(Sample(Noise("a"), 0, 4), "probabilities").shape == (4, 7)
    assert len(list((cache / "features").iterdir())) == 5


def test_statistics_of_a_set_are_kept(store: FeatureStore, cache: Path) -> None:
    source = Noise()
    store.statistics(Sample(source, 0, 4))
    assert list(cache.rglob("statistics*")) == []
    source = Noise("set")
    source.distinct = 20
    first = store.statistics(Sample(source, 2, 20))
    for path in cache.rglob("0*.npy"):
        path.unlink()
    second = store.statistics(Sample(source, 2, 20))
    assert source.asked == [*range(20)]
    assert (first.count, first.protocol) == (second.count, second.protocol) == (18, store.network.name)
    assert torch.equal(first.mean, second.mean) and torch.equal(first.covariance, second.covariance)
    np.testing.assert_allclose(first.covariance, np.cov(store.all_rows(Sample(source, 2, 20)).T), atol=1e-6)


def test_progress_counts_what_is_missing(network: FeatureNetwork) -> None:
    bars: list[Any] = []

    def progress(total: int | None, what: str) -> Progress:
        bars.append(Progress(total, what))
        return bars[-1]

    store = FeatureStore(network, 3, progress)
    for stop in (10, 10, 21):
        store.all_rows(Sample(Noise(), 0, stop))
    assert [(bar.total, bar.done, bar.what) for bar in bars] == [(n, n, "features of noise") for n in (10, 11)]


def test_what_another_process_has_is_neither_shortened_nor_missed(
    store: FeatureStore, network: FeatureNetwork, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, plain = Noise(), Noise.pixels

    def meanwhile(self: Noise, start: int, stop: int) -> np.ndarray:
        monkeypatch.setattr(Noise, "pixels", plain)
        FeatureStore(network, 3).all_rows(Sample(Noise(), 0, 8))  # the other one wants more
        return plain(self, start, stop)

    monkeypatch.setattr(Noise, "pixels", meanwhile)
    same(store.all_rows(Sample(source, 0, 4)), network, 0, 4)
    (path,) = cache.rglob("000000.npy")
    assert len(np.load(path)) == 8
    rows = store.rows(Sample(source, 0, 16))
    next(rows)
    second = path.with_name("000001.npy")
    np.save(second, np.load(second)[:3])  # the cache was emptied, and somebody began anew
    same(next(rows), network, 8, 16)


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_cache_that_takes_nothing_loses_nothing(
    network: FeatureNetwork, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = FeatureStore(network, 8).all_rows(Sample(Noise(), 0, 20))
    for kept in cache.rglob("*.npy"):
        kept.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(features.np, "save", fail)
        store, source = FeatureStore(network, 8), Noise()
        assert torch.equal(store.all_rows(Sample(source, 0, 20)), expected)
        assert torch.equal(store.all_rows(Sample(source, 0, 20)), expected) and source.asked == [*range(20)]
    assert not list(cache.rglob("*.npy"))
    assert len(store.all_rows(Sample(source, 0, 24))) == 24 and list(cache.rglob("*.npy"))  # there is room again
    said = capsys.readouterr().err
    assert said.startswith("growgan: warning: features are not kept for another time: ") and said.count("\n") == 1
