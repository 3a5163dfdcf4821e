"""The hub, through huggingface_hub itself: against a server on the loopback, and without one.

Commands run as processes of their own, since the library reads its variables when it is loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import TOKEN, Hub, serving
from PIL import Image

from growgan.models.native import open_model
from growgan.sampling.model import load
from growgan.sharing.export import Subject, export

pytest.importorskip("huggingface_hub")
MakeSubject = Callable[..., Subject]
NOWHERE = "http://127.0.0.1:9"
"""The discard port: nobody listens."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as served:
        yield served


def growgan(cache: Path, endpoint: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a hub's cache of its own."""
    set_ = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")} | set_ | variables
    command = [sys.executable, "-m", "growgan", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2 and done.stdout == "", done
    *_, line = done.stderr.splitlines()
    assert line.startswith("growgan: ") and "Traceback" not in done.stderr
    return line


def test_what_is_pushed_is_what_is_loaded(hub: Hub, make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject(texts=("license=cc-by-nc-4.0",), num_labels=2)
    export(subject, tmp_path / "shipped.safetensors")
    pushed = growgan(
        tmp_path / "cache", hub.url, "push", tmp_path / "shipped.safetensors", "hf://me/discs", HF_TOKEN=TOKEN
    )
    assert pushed.returncode == 0, pushed.stderr
    files = hub.repositories["me/discs"]["main"]
    assert sorted(files) == ["README.md", "model.safetensors", "samples.png"]
    assert files["model.safetensors"] == (tmp_path / "shipped.safetensors").read_bytes()
    assert pushed.stdout.startswith(f"{hub.url}/me/discs/commit/") and hub.messages == [
        "me/discs: 16x16, trained for 1.234 kimg"
    ]
    words = ("generate", "hf://me/discs", "--seeds", "3", "--out", tmp_path / "there")
    assert growgan(tmp_path / "cache", hub.url, *words).returncode == 0
    with Image.open(tmp_path / "there" / "seed0003.png") as picture:
        wanted = load(tmp_path / "shipped.safetensors").sample(1, seed=3, batch=1)[0]
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(wanted)).max() <= 1

    # What is in the cache is not fetched again, and is there without any hub.
    hub.asked.clear()
    assert growgan(tmp_path / "cache", hub.url, "info", "hf://me/discs").returncode == 0
    assert not [line for line in hub.asked if line.startswith("GET /me")]
    for endpoint, offline in ((NOWHERE, "0"), (hub.url, "1")):
        hub.asked.clear()
        done = growgan(tmp_path / "cache", endpoint, "info", "hf://me/discs", HF_HUB_OFFLINE=offline)
        assert done.returncode == 0 and "cc-by-nc-4.0" in done.stdout and hub.asked == []


def test_a_snapshot_is_shipped_to_a_branch(hub: Hub, make_subject: MakeSubject, tmp_path: Path) -> None:
    make_subject()
    words = ("push", tmp_path / "origin.safetensors", "hf://me/discs@v2", "--private", "--license", "mit")
    done = growgan(tmp_path / "cache", hub.url, *words, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert hub.private == {"me/discs"} and hub.repositories["me/discs"]["main"] == {}
    sent = tmp_path / "sent.safetensors"
    sent.write_bytes(hub.repositories["me/discs"]["v2"]["model.safetensors"])
    assert open_model(sent).has("D") and not open_model(sent).has("G") and open_model(sent).card == {"license": "mit"}
    assert "private" in refusal(growgan(tmp_path / "cache", hub.url, "info", "hf://me/discs@v2"))
    seen = growgan(tmp_path / "cache", hub.url, "info", "hf://me/discs@v2", HF_TOKEN=TOKEN)
    assert seen.returncode == 0 and "mit" in seen.stdout


def test_a_licence_that_the_hub_does_not_know(hub: Hub, make_subject: MakeSubject, tmp_path: Path) -> None:
    make_subject()
    origin = tmp_path / "origin.safetensors"
    for licence in ("research", "cc-by-nc"):
        words = ("push", origin, f"hf://me/{licence}", "--license", licence)
        done = growgan(tmp_path / "cache", hub.url, *words, HF_TOKEN=TOKEN)
        assert done.returncode == 0, done.stderr
        card = hub.repositories[f"me/{licence}"]["main"]["README.md"].decode()
        assert f'license: other\nlicense_name: "{licence}"\n' in card
    # One that is listed here, but no longer there: no repository is made.
    words = ("push", origin, "hf://me/none", "--license", "wtfpl")
    line = refusal(growgan(tmp_path / "cache", hub.url, *words, HF_TOKEN=TOKEN))
    assert line.endswith('hf://me/none: "license" must be one of [...]') and "me/none" not in hub.repositories


def test_a_model_of_another_name(hub: Hub, make_subject: MakeSubject, tmp_path: Path) -> None:
    make_subject()
    content = (tmp_path / "origin.safetensors").read_bytes()
    hub.put("me/one", {"mine.safetensors": content, "README.md": b"x"})
    assert growgan(tmp_path / "cache", hub.url, "info", "hf://me/one").returncode == 0
    hub.put("me/one", {"other.safetensors": content})
    several = refusal(growgan(tmp_path / "cache", hub.url, "info", "hf://me/one"))
    assert "specify one of mine.safetensors, other.safetensors" in several
    named = growgan(tmp_path / "cache", hub.url, "info", "hf://me/one/other.safetensors")
    assert named.returncode == 0


def test_what_is_not_there_or_not_allowed(hub: Hub, make_subject: MakeSubject, tmp_path: Path) -> None:
    make_subject()
    hub.put("me/discs", {"README.md": b"x"})
    origin = tmp_path / "origin.safetensors"
    for words, variables, message in (
        (("info", "hf://me/none"), {}, "no me/none on the Hub, or it is private"),
        (("info", "hf://me/discs@v9"), {}, "me/discs has no revision 'v9'"),
        (("info", "hf://me/discs/x.safetensors"), {}, "me/discs has no file x.safetensors"),
        (("info", "hf://me/discs"), {}, "other .safetensors: none"),
        (("info", "hf://me/discs"), {"HF_HUB_OFFLINE": "1"}, "in offline"),
        (("push", origin, "hf://me/new", "--license", "mit"), {}, "the Hub refused hf://me/new: log in"),
    ):
        done = growgan(tmp_path / "cache", hub.url, *words, **variables)
        assert message in refusal(done) and done.stderr.count("\n") == 1, done
    assert "cannot be reached" in refusal(growgan(tmp_path / "cache", NOWHERE, "push", origin, "hf://me/new"))
    began = time.monotonic()
    alone = growgan(tmp_path / "cache", NOWHERE, "info", "hf://me/discs")
    assert "cannot be reached" in refusal(alone) and alone.stderr.count("\n") == 1
    assert time.monotonic() - began < 20  # the library alone asks for 23 seconds
    assert list(hub.repositories) == ["me/discs"]
