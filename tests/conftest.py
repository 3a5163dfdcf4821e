"""What every test has: one thread, a cache of its own, and a few small sets and runs that many read."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded, and for the processes that tests start
os.environ.setdefault("GROWGAN_TEST_GPU", "")
# What tests hold of processors, such as equal bits, no card promises: it is hidden from them.
os.environ |= {} if os.environ["GROWGAN_TEST_GPU"] else {"CUDA_VISIBLE_DEVICES": ""}

import pytest
import torch
from discs import SHORT, TINY, save_discs

from growgan.cli.main import main
from growgan.data.build import build

_COUNT = itertools.count()


def pytest_configure() -> None:
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ["GROWGAN_TEST_GPU"] and not torch.cuda.is_available():
        raise pytest.UsageError("there is no CUDA GPU, or this build of PyTorch has nothing for one")
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU (make test-gpu)"))


@pytest.fixture(scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="session", autouse=True)
def _session_cache(_caches: Path) -> Iterator[None]:
    """The cache of fixtures that live longer than a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROWGAN_CACHE", str(_caches / "session"))
        yield


@pytest.fixture(autouse=True)
def cache(_caches: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own cache folder, which is not there yet."""
    folder = _caches / str(next(_COUNT))
    monkeypatch.setenv("GROWGAN_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def colour_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished set, a zip: 96 yellow discs on blue, 16x16. To be read only."""
    folder = tmp_path_factory.mktemp("colour")
    build(save_discs(folder / "pictures", 96), folder / "set.zip")
    return folder / "set.zip"


@pytest.fixture(scope="session")
def labelled_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished set of three classes, green, red and white: 20, 40 and 4 discs of 16x16. To be read only."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, count, colour in (("green", 20, (0, 255, 0)), ("red", 40, (255, 0, 0)), ("white", 4, (255, 255, 255))):
        save_discs(folder / "pictures" / name, count, colour)
    build(folder / "pictures", folder / "set.zip", labels="folders")
    return folder / "set.zip"


@pytest.fixture(scope="session")
def tiny_run(colour_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has come to its end, on `colour_set`. To be read only: copy it to go on with it."""
    run = tmp_path_factory.mktemp("tiny") / "run"
    assert main(["train", "--data", str(colour_set), "--out", str(run), *TINY]) == 0
    return run


@pytest.fixture(scope="session")
def labelled_run(labelled_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on `labelled_set`, without growing. To be read only."""
    run = tmp_path_factory.mktemp("labelled") / "run"
    assert main(["train", "--data", str(labelled_set), "--out", str(run), *SHORT]) == 0
    return run


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of the size that the test names (`indirect`), as mount writes sizes; skips where none can be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root on Linux can mount a small disk")
    words = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    gc.collect()  # a board that failed on the full disk may hold on to its file for a moment
    if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
