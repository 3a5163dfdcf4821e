"""Addresses on the hub, and what is said where it cannot be reached."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from growgan.core.errors import ModelError
from growgan.models import hub


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf://me/faces", ("me/faces", None, None)),
        ("hf://me-2/faces.v1_x", ("me-2/faces.v1_x", None, None)),
        ("hf://me/faces@v2", ("me/faces", "v2", None)),
        ("hf://me/faces/sub/model.onnx", ("me/faces", None, "sub/model.onnx")),
        ("hf://me/faces@refs/pr/3/model.onnx", ("me/faces", "refs/pr/3", "model.onnx")),
    ],
)
def test_addresses(text: str, parts: tuple[str, str | None, str | None]) -> None:
    found = hub.parse(text)
    assert (found.repository, found.revision, found.file) == parts and str(found) == text


@pytest.mark.parametrize("text", ["hf://", "hf://me", "hf:/me/faces", "hf://me/faces/../../x", "hf://me/fa ces", "x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ModelError, match="a Hub address is hf://OWNER/NAME"):
        hub.parse(text)
    assert hub.is_address("hf://") and not hub.is_address("x")


def test_a_file_is_no_repository() -> None:
    with pytest.raises(ModelError, match="is the address of a file"):
        hub.parse_repository("hf://me/faces/model.onnx")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("huggingface_hub"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match="needs the package huggingface_hub: pip install huggingface_hub"):
        hub.fetch("hf://me/faces")
