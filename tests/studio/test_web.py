"""The page: what it is made of is there, and its libraries are those that are written down."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import growgan.studio
from growgan.cli.main import build_parser
from growgan.studio import app

WEB = Path(app.__file__).parent / "web"
SCRIPTS = sorted(WEB.glob("*.js"))
IMPORT = re.compile(r'(?:import|export)\s[^;]*?from\s*"([^"]+)"')
VENDOR = Path(__file__).parents[2] / "scripts" / "vendor.py"

Serve = Callable[..., Any]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_imports_are_there(path: Path) -> None:
    found = IMPORT.findall(path.read_text())
    assert all((path.parent / name).is_file() for name in found), found


def test_every_module_is_used() -> None:
    used = {(path.parent / name).resolve() for path in WEB.rglob("*.js") for name in IMPORT.findall(path.read_text())}
    page = {WEB / name for name in re.findall(r'"/web/([^"]+)"', (WEB / "index.html").read_text())}
    assert {path.resolve() for path in WEB.rglob("*.js")} <= used | page
    assert all(path.is_file() for path in page)


def test_libraries_are_those_written_down() -> None:
    digests = runpy.run_path(str(VENDOR))["DIGESTS"]
    assert {path.name for path in (WEB / "vendor").glob("*.js")} == set(digests)
    for name, digest in digests.items():
        assert hashlib.sha256((WEB / "vendor" / name).read_bytes()).hexdigest() == digest
    for licence in ("preact.LICENSE", "htm.LICENSE"):
        assert "Jason Miller" in (text := (WEB / "vendor" / licence).read_text()) or "Apache License" in text


def test_what_the_page_is_made_of_is_served(serve: Serve, plain: str) -> None:
    ask = serve(plain)
    assert b"/web/main.js" in ask("/").body
    for path in WEB.rglob("*"):
        if path.is_file():
            found = ask(f"/web/{path.relative_to(WEB).as_posix()}")
            assert found.body == path.read_bytes()
            assert found.headers["cache-control"] == "no-cache"
            assert path.suffix != ".js" or "javascript" in found.headers["content-type"]


def test_every_address_that_the_page_asks_for_is_answered() -> None:
    asked = {name for path in SCRIPTS for name in re.findall(r'["`](/api/[a-z/]+)', path.read_text())}
    routes = [route.path for route in app.make_app(growgan.studio.service.Studio(["x"], lambda name: None), []).routes]  # type: ignore[attr-defined, arg-type, return-value]
    assert len(asked) >= 6
    for name in asked:
        assert any(route.startswith(name.rstrip("/")) for route in routes), name


def test_what_a_browser_may_keep_is_asked_for_by_version() -> None:
    """The hash alone stays the same when directions or photographs change, and no picture of it would be kept."""
    users = {path.name for path in SCRIPTS if "model.hash" in path.read_text()}
    assert users == {"pictures.js", "said.js", "teach.js"}  # what was said of a model, and when to ask for words anew


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's arithmetic")
def test_the_pages_arithmetic() -> None:
    script = """
        import { className, command, making, moves, quoted, seeds } from "WEB/command.js";
        import { spread, ticks } from "WEB/chart.js";
        import { adding, table } from "WEB/said.js";
        import { fromAddress, isMoved, toAddress } from "WEB/state.js";
        const state = { ...fromAddress("#"), page: "edit", model: "a b", key: { seed: 3, moves: { "x&y=z": 0.5 } } };
        console.log(JSON.stringify({
          quoted: [quoted("a-b/c.d"), quoted("a b"), quoted("it's"), quoted("")],
          command: command("video", ["--seeds", [1]], [], "--out", "x y"),
          seeds: seeds([3, 7, 100, 101, 102, 2]),
          moves: moves({ seed: 1, moves: { a: 0.5, b: 0, c: -1 } }),
          ticks: [ticks(0, 10), ticks(-0.3, 0.31), ticks(5, 5)],
          spread: spread([1, 1]),
          same: [toAddress(fromAddress(toAddress(state))) === toAddress(state), toAddress(fromAddress("#"))],
          bad: ["key=null", "kept=null", "kept=%7B%7D", "kept=%5B1%2Cnull%5D", "count=1e9", "key=%7B%22seed%22%3A-1%7D",
            "key=%7B%22seed%22%3A1%2C%22photo%22%3A1%7D", "truncation=9", "label=%22a%22", "__proto__=1", "key",
          ].map((query) => toAddress(fromAddress("#pictures?" + query))),
          classes: [0, 1, 2].map((k) => className(k, { labels: ["a", "", "a"] })),
          making: making({ label: 0, truncation: 0.5 }, { labels: ["-x"], options: ["--precision", "bf16"] }),
          line: command("edit", "a b", "--seeds", 5, `--move=${moves({ moves: { "-a b": -0.5 } })}`,
            making({ label: 0, truncation: 0.5 }, { labels: ["-x y"], options: [] }), "--out", "e"),
          wrong: fromAddress("#walk?truncation=x&first=%22a%22&toString=1&seed=7"),
          said: table(Object.fromEntries(['a "b"', "c"].map((name, i) => [name, Object.fromEntries(
            Array.from({ length: 20 + i }, (_, seed) => [seed, seed % 2]))]))).split("\\n"),
          added: adding(adding(adding({ a: { 7: 1 } }, "c", 10, 1), "d", 3, 1), "d", 3, null),
          moved: [isMoved({ seed: 1 }), isMoved({ seed: 1, moves: { a: 0 } }), isMoved({ seed: 1, moves: { a: 1 } })],
        }));
    """.replace("WEB", WEB.as_uri())
    done = subprocess.run(
        ["node", "--input-type=module", "--no-warnings"], input=script, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["quoted"] == ["a-b/c.d", "'a b'", "'it'\\''s'", "''"]
    assert found["command"] == "growgan video --seeds 1 --out 'x y'"
    assert found["seeds"] == "3,7,100-102,2" and found["moves"] == "a:0.5,c:-1"
    assert found["ticks"] == [[0, 2, 4, 6, 8, 10], [-0.2, 0, 0.2], []]
    assert found["spread"][0] < 1 < found["spread"][1]
    assert found["same"] == [True, "#pictures"]
    assert found["said"][:2] == ['seed,"a ""b""",c', "0,0,0"] and found["said"][21:] == ["20,,0", ""]
    assert found["added"] == {"a": {"7": 1}, "c": {"10": 1}, "d": {}}
    assert set(found["bad"]) == {"#pictures"}
    assert found["classes"] == ["a", 1, 2]
    assert found["making"] == ["--class=-x", "--truncation", 0.5, "--precision", "bf16"]
    line = shlex.split(found["line"])
    parsed = build_parser().parse_args(line[1:])
    assert (line[0], parsed.label, parsed.truncation, parsed.move) == ("growgan", "-x y", 0.5, "-a b:-0.5")
    wrong = found["wrong"]
    assert wrong["page"] == "walk" and wrong["truncation"] == 1 and wrong["first"] == 0 and wrong["seed"] == 7
    assert found["moved"] == [False, False, True]
