"""A studio of small models, and one that answers on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import torch
import uvicorn
from making import make_nets, make_spec

from growgan.cli.serve import listen
from growgan.models.native import save_model
from growgan.sampling.model import load
from growgan.studio.app import make_app
from growgan.studio.service import Given, Studio


def save(path: Path, **fields: Any) -> str:
    """A model file with untrained networks; `training` goes into its header."""
    training = fields.pop("training", {})
    G, D = make_nets(make_spec(**fields), torch.float32)
    save_model(path, {"G_ema": G, "D": D}, training=training)
    return str(path)


@pytest.fixture
def plain(tmp_path: Path) -> str:
    return save(tmp_path / "plain.safetensors")


@pytest.fixture
def classes(tmp_path: Path) -> str:
    names = {"class_names": ["red", "green", "blue"], "labels": {"counts": [1, 2, 3]}}
    return save(tmp_path / "classes.safetensors", num_labels=3, training=names)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def error(self, status: int = 400) -> str:
        """The line of a refusal."""
        assert self.status == status, self
        assert list(self.json) == ["error"] and "\n" not in self.json["error"]
        line: str = self.json["error"]
        return line


Ask = Callable[..., Answer]
Serve = Callable[..., Ask]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a studio of models and runs; returns what asks it."""
    ends: list[Callable[[], None]] = []

    def start(*models: str, runs: tuple[str, ...] = (), given: Given | None = None) -> Ask:
        listener = listen("127.0.0.1", 0)
        app = make_app(Studio(models, load, given), runs)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(30)
            listener.close()
            assert not thread.is_alive()

        ends.append(end)
        port = listener.getsockname()[1]

        def ask(
            path: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None, **query: Any
        ) -> Answer:
            texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in query.items()}
            more = {"content-type": "application/json"} if body is not None else {}
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                data = json.dumps(body) if body is not None else None
                where = path + (f"?{urlencode(texts)}" if texts else "")
                connection.request(method, where, data, more | (headers or {}))
                answer = connection.getresponse()
                return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
            finally:
                connection.close()

        ask.app, ask.port = app, port  # type: ignore[attr-defined]
        return ask

    yield start
    for end in ends:
        end()
