"""Downloads, from a server on this machine: checked, resumed, and refused in one clear line."""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from growgan.cli.main import main
from growgan.core.errors import DataError
from growgan.data import download as module
from growgan.data.download import DOWNLOADS, Remote, download

CONTENT = np.random.RandomState(0).bytes(1_500_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path; what it does wrong is set by the test."""

    daemon_threads = True
    knows_ranges = True
    status = 200
    breaks_after: int | None = None
    content = CONTENT

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.knows_ranges else 0  # type: ignore[index]
        if start >= len(self.server.content):
            self.send_error(416)
            return
        data = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.breaks_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{made.server_port}/toy.bin"
        monkeypatch.setitem(DOWNLOADS, "toy", (Remote(url, hashlib.md5(CONTENT).hexdigest()),))
        yield made
        made.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "toy", str(tmp_path / "new" / "folder")]) == 0
    file = tmp_path / "new" / "folder" / "toy.bin"
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(file), f"next: growgan data build {file} toy.zip"]
    assert file.read_bytes() == CONTENT and len(list(file.parent.iterdir())) == 1
    assert download("toy", file.parent) == [file] and len(server.asked) == 1
    file.write_bytes(b"packed anew by somebody")
    with pytest.raises(DataError, match=r"toy.bin: exists, but is not the published file .*: move it away"):
        download("toy", file.parent)
    assert file.read_bytes() == b"packed anew by somebody" and len(server.asked) == 1


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_part_is_gone_on_with(server: Server, tmp_path: Path, knows_ranges: bool) -> None:
    server.knows_ranges = knows_ranges
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:1_000_000])
    (file,) = download("toy", tmp_path)
    assert file.read_bytes() == CONTENT and server.asked == ["bytes=1000000-"]


def test_a_transfer_that_breaks_off_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 600_000
    (file,) = download("toy", tmp_path)
    assert file.read_bytes() == CONTENT
    assert len(server.asked) == 3 and server.asked[2] == "bytes=1200000-"


def test_what_came_is_kept_however_often_a_transfer_breaks_off(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 200_000
    with pytest.raises(DataError, match=r"the transfer keeps breaking off.*rerun this command later"):
        download("toy", tmp_path)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[: module.ATTEMPTS * 200_000]
    (file,) = download("toy", tmp_path)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [ssl.SSLError("bad record"), OSError(errno.EHOSTUNREACH, "No route to host")])
def test_a_fault_of_the_network_is_none_of_the_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    honest = http.client.HTTPResponse.read
    faults = [fault]

    def read(self: http.client.HTTPResponse, amount: int | None = None) -> bytes:
        if faults and (tmp_path / "toy.bin.part").stat().st_size:
            raise faults.pop()
        return honest(self, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", read)
    monkeypatch.setattr(module, "CHUNK_BYTES", 500_000)
    (file,) = download("toy", tmp_path)
    assert file.read_bytes() == CONTENT and server.asked == [None, "bytes=500000-"]


def test_a_whole_part_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT)
    (file,) = download("toy", tmp_path)
    assert file.read_bytes() == CONTENT and server.asked == ["bytes=1500000-"]


def test_what_is_not_as_published_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match="is not the published"):
        download("toy", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_named_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:10])
    server.status = 403
    with pytest.raises(DataError, match=r"the server refused \(403"):
        download("toy", tmp_path)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:10]


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(DOWNLOADS, "toy", (Remote("http://127.0.0.1:9/toy.bin", "0" * 32),))
    assert main(["data", "download", "toy", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "127.0.0.1:9 cannot be reached" in said.err and "get http://127.0.0.1:9/toy.bin elsewhere" in said.err


def test_words_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such download .*cifar10"):
        download("imagenet", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        download("cifar10", tmp_path / "file")


def test_every_file_has_an_address_and_a_checksum() -> None:
    remotes = [remote for files in module.DOWNLOADS.values() for remote in files]
    assert all(re.fullmatch(r"[0-9a-f]{32}", remote.md5) and remote.url.startswith("http") for remote in remotes)
    assert len({remote.md5 for remote in remotes}) == len({remote.url for remote in remotes}) == len(remotes)
