"""The studio over HTTP, on loopback: what its page asks, what is refused, and to whom it does not answer."""

from __future__ import annotations

import io
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from starlette.applications import Starlette

from growgan.sampling.model import load
from growgan.studio.app import Json
from growgan.studio.guard import Guard, is_loopback
from growgan.studio.service import Studio

Serve = Callable[..., Any]


def look(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "truncation": 0.5, **more}


def test_what_the_page_asks(serve: Serve, classes: str, tiny_run: Path) -> None:
    ask = serve(classes, str(tiny_run), runs=(str(tiny_run),))
    about = ask("/api/about").json
    assert about["models"] == [classes, str(tiny_run)] and about["runs"] == [str(tiny_run)]
    model = ask("/api/model", name=classes).json
    assert model["labels"] == ["red", "green", "blue"] and model["resolution"] == 16
    assert len(model["directions"]) == 6 and ".gif" in model["formats"]

    found = ask("/api/picture", plan=look(classes, key={"seed": 3}), version=model["version"])
    assert found.status == 200 and found.headers["content-type"] == "image/png"
    assert "immutable" in found.headers["cache-control"]
    assert Image.open(io.BytesIO(found.body)).size == (16, 16)
    again = ask("/api/picture", plan=look(classes, key={"seed": 3}), version="0123")
    assert again.body == found.body and again.headers["cache-control"] == "no-store"
    frame = ask("/api/picture", plan=look(classes, way={"seed": 1}, frames=30, at=7))
    assert Image.open(io.BytesIO(frame.body)).size == (16, 16)
    plan = look(classes, keys=[{"seed": n} for n in range(5)], columns=3)
    assert Image.open(io.BytesIO(ask("/api/sheet", plan=plan).body)).size == (192, 128)
    assert ask("/api/words", plan=plan).json == load(classes).labels(range(5))

    run = ask("/api/run", name=str(tiny_run)).json
    assert run["nimg"] == 320
    assert ask("/api/run/fakes/320", name=str(tiny_run)).body == (tiny_run / "fakes000000320.png").read_bytes()
    assert ask("/api/run/reals", name=str(tiny_run)).body == (tiny_run / "reals.png").read_bytes()


def test_names_that_are_no_unicode() -> None:
    """As of a folder's name in bytes, which the whole house carries along."""
    assert json.loads(Json({"labels": ["caf\udce9"]}).body) == {"labels": ["caf\udce9"]}


def test_a_film(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    plan = look(plain, way={"keys": [{"seed": 1}, {"seed": 2}]}, seconds=1, fps=4, suffix=".gif")
    begun = ask("/api/films", "POST", plan)
    where = f"/api/films/{begun.json['number']}"
    end = time.monotonic() + 60
    while not (found := ask(where).json)["finished"] and time.monotonic() < end:
        assert not found["error"]
        time.sleep(0.05)
    film = ask(where + "/file")
    assert film.headers["content-type"] == "image/gif" and len(film.body) == found["bytes"]
    assert Image.open(io.BytesIO(film.body)).n_frames == 4  # type: ignore[attr-defined]
    assert [one["number"] for one in ask("/api/films").json] == [begun.json["number"]]
    assert begun.json["of"].startswith(plain) and begun.json["of"].endswith(": seed 1, seed 2, 1 s")
    assert ask(where, "DELETE").json == {} and ask("/api/films").json == []
    assert all("no longer exists" in ask(path).error() for path in (where, where + "/file"))
    for wrong, what in (
        ({"way": {"keys": []}}, "keys of way"),
        ({"size": 100}, "power of two"),
        ({"fps": 100}, "--fps of a .gif"),
    ):
        assert what in ask("/api/films", "POST", plan | wrong).error()
    assert ask("/api/films").json == []  # none of them has been ordered


def test_a_file_that_is_called_as_films_are_is_in_nobodys_way(
    serve: Serve, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.gif").write_bytes(b"somebody's")
    monkeypatch.chdir(tmp_path)
    ask = serve(plain)
    assert ".gif" in ask("/api/model", name=plain).json["formats"]
    way = {"keys": [{"seed": 1}, {"seed": 2}]}
    assert "number" in ask("/api/films", "POST", look(plain, way=way, seconds=1, fps=4, suffix=".gif")).json


def test_a_direction_is_taught(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    said = {"model": plain, "name": "tall", "labels": {str(seed): seed % 2 for seed in range(30)}}
    found = ask("/api/directions", "POST", said)
    assert 0 <= found.json["predicted"] <= 1
    assert ask("/api/model", name=plain).json["directions"][0]["name"] == "tall"
    moved = ask("/api/picture", plan=look(plain, key={"seed": 1, "moves": {"tall": 1}}))
    assert moved.status == 200 and moved.body != ask("/api/picture", plan=look(plain, key={"seed": 1})).body
    assert "at least 20" in ask("/api/directions", "POST", said | {"labels": {"1": 1}}).error()


def test_refusals(serve: Serve, plain: str, tiny_run: Path) -> None:
    ask = serve(plain, runs=(str(tiny_run),))
    assert "no model" in ask("/api/model", name="/etc/passwd").error()
    assert "no model" in ask("/api/picture", plan=look("x", key={"seed": 1})).error()
    assert "not JSON" in ask("/api/picture").error()
    assert "no classes" in ask("/api/picture", plan=look(plain, key={"seed": 1}, label=1)).error()
    for path in ("/api/run", "/api/run/reals", "/api/run/fakes/1"):
        assert "no run" in ask(path, name="/").error()
    assert "does not exist" in ask("/api/run/fakes/1", name=str(tiny_run)).error()
    ask("/api/nothing").error(404)
    ask("/api/films/x").error(404)
    ask("/web/../app.py").error(404)
    ask("/web/%2e%2e/app.py").error(404)
    ask("/api/picture", "POST", {}).error(405)
    assert ask("/api/picture", plan=look(plain, key={"seed": 1})).status == 200


def test_a_file_that_is_gone(serve: Serve, plain: str, tiny_run: Path, tmp_path: Path) -> None:
    ask = serve(plain)
    Path(plain).unlink()
    assert "plain.safetensors" in ask("/api/model", name=plain).error()


def test_a_run_without_a_model_yet(serve: Serve, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(tiny_run / "config.json", run)
    ask = serve(str(run), runs=(str(run),))
    assert "has no snapshot yet" in ask("/api/model", name=str(run)).error()
    assert ask("/api/run", name=str(run)).json["nimg"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),  # a name that was made to point here
        ({"host": "192.168.1.4:8000"}, 403),
        ({"host": ""}, 403),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "localhost", "origin": "http://localhost"}, 200),
        ({"host": "localhost", "origin": "http://localhost:8888"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
def test_whom_it_answers(headers: dict[str, str], status: int, serve: Serve, plain: str) -> None:
    ask = serve(plain)
    answer = ask("/api/about", headers=headers)
    assert answer.status == status
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_our_own_faults_are_guarded_too(serve: Serve, plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Studio, name: str, anew: bool) -> None:
        raise ZeroDivisionError("<b>by nothing</b>")

    ask = serve(plain)
    monkeypatch.setattr(Studio, "describe", broken)
    answer = ask("/api/model", name=plain)
    assert answer.error(500) == "ZeroDivisionError: <b>by nothing</b>"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_link_leads_to_the_page_and_nowhere_else(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask("/", headers=link).status == 200
    assert ask("/", headers=link | {"sec-fetch-dest": "iframe"}).status == 403
    assert ask("/api/about", headers=link).status == 403


def test_open_to_a_network_it_answers_to_addresses_and_its_names() -> None:
    guard = Guard(Starlette(), {"box", "localhost"}, addresses=True)
    for host, good in (("192.168.1.4:80", True), ("[fe80::1]:80", True), ("BOX:80", True), ("evil.example", False)):
        assert (guard._refusal({"path": "/api/about", "method": "GET"}, {"host": host}) == "") == good, host
    assert is_loopback("127.0.0.2") and is_loopback("::1") and not is_loopback("0.0.0.0") and not is_loopback("box")


def test_long_requests_are_not_read(serve: Serve, plain: str) -> None:
    assert "too large" in serve(plain)("/api/films", "POST", {"x": "y" * 100_000}).error(413)


def test_losses_that_are_no_numbers(serve: Serve, tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    lines = (run / "log.jsonl").read_text().splitlines()
    entry = json.loads(lines[-1]) | {"D/loss": float("nan"), "G/loss": float("inf")}
    (run / "log.jsonl").write_text("\n".join([*lines[:-1], json.dumps(entry)]) + "\n")
    curve = serve(str(run), runs=(str(run),))("/api/run", name=str(run)).json["curve"]
    assert curve["D/loss"][-1] is None and curve["G/loss"][-1] is None and curve["D/loss"][0] > 0


def test_an_order_whose_client_has_left_is_taken_back(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    queue = ask.app.state.queue  # type: ignore[attr-defined]
    begun, go = threading.Event(), threading.Event()
    queue.call(lambda: (begun.set(), go.wait(60)))
    assert begun.wait(30)
    plan = json.dumps(look(plain, key={"seed": 1}))
    with socket.create_connection(("127.0.0.1", ask.port)) as client:  # type: ignore[attr-defined]
        client.sendall(f"GET /api/picture?{urlencode({'plan': plan})} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        end = time.monotonic() + 30
        while not queue._orders and time.monotonic() < end:
            time.sleep(0.02)
        (order,) = queue._orders
    while not order[2].cancelled() and time.monotonic() < end:
        time.sleep(0.02)
    assert order[2].cancelled()
    go.set()


def test_a_form_of_another_site_orders_nothing(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    said = {"model": plain, "name": "tall", "labels": {str(seed): seed % 2 for seed in range(30)}}
    for path, body in (("/api/films", look(plain, way={"seed": 1}, suffix=".gif")), ("/api/directions", said)):
        assert "application/json" in ask(path, "POST", body, headers={"content-type": "text/plain"}).error(415)
