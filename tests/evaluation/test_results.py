from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from growgan.core.errors import ConfigError, RunError
from growgan.evaluation.results import Lines, Reference, Result, Terms, table, to_json


def result(**fields: Any) -> Result:
    given: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Result))
    given |= {"metric": "swd2k", "value": 12.3456, "images": 2048, "resolution": 32, "subject": "run/a.safetensors"}
    return Result(**{**given, **fields})


def test_table_has_a_row_a_snapshot_and_a_row_of_reals_a_size() -> None:
    levels, among = {32: 20.0, 16: 4.6912}, {32: 3.0, 16: 5.0}
    reference = Reference(4.0, among, 1000, 1000)
    text = table(
        [
            result(subject="run/first", resolution=4, metric="fid2048", value=1234.5),
            result(subject="run/a", levels=levels, reference=reference),
            result(subject="run/a", metric="fid2048", value=0.00012345, reference=Reference(2, None, 2048, 2048)),
            result(subject="run/b", levels=levels, reference=reference),
        ]
    )
    assert text.splitlines() == [
        "                  swd2k   swd2k:32   swd2k:16    fid2048",
        "first    4x4          -          -          -       1234",
        "reals    4x4          -          -          -          -",
        "a      32x32      12.35         20      4.691  0.0001234",
        "b      32x32      12.35         20      4.691          -",
        "reals  32x32  4 (1,000)  3 (1,000)  5 (1,000)          2",
    ]


def test_table_shows_how_far_a_model_is_and_what_a_number_is_uncertain_by() -> None:
    reference = Reference(0.5, None, 40, 56)
    text = table([result(metric="kid40_full", value=0.25, deviation=0.01, nimg=1500, reference=reference)])
    assert [line.split() for line in text.splitlines()] == [
        ["kimg", "kid40_full"],
        ["a.safetensors", "32x32", "1.5", "0.25", "+-0.01"],
        ["reals", "32x32", "0.5", "(40", "to", "56)"],
    ]


def test_json_holds_every_field() -> None:
    (entry,) = to_json([result(levels={32: 1.0}, reference=Reference(4.0, None, 7, 9))])
    assert entry["reference"] == {"value": 4.0, "levels": None, "images": 7, "real_images": 9}
    assert json.loads(json.dumps(entry))["levels"] == {"32": 1.0}
    assert set(entry) == {field.name for field in dataclasses.fields(Result)}


def test_lines_are_added_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "measures.jsonl"
    Lines(path).add(result(protocol="pixels"))
    lines = Lines(path)
    for value in (12.3456, 1.0, 2.0, 1.0):
        lines.add(result(value=value, protocol="pixels"))
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [12.3456, 1.0, 2.0]
    with pytest.raises(RunError, match="cannot write"):
        Lines(tmp_path)
    Lines(tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
    with pytest.raises(ValueError, match="not JSON compliant"):
        lines.add(result(value=float("nan")))


TERMS = {"metric": "fid10k", "protocol": "inception:1/a", "mirrored": True, "against_hash": "aa"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"protocol": "inception:2/a"}, "has fid10k with protocol inception:1/a, which inception:2/a cannot"),
        ({"mirrored": False}, "has fid10k with mirrored True, which False cannot"),
        ({"against_hash": "bb"}, "has fid10k with against_hash aa"),
    ],
)
def test_unlike_terms_are_not_mixed_in_a_file(tmp_path: Path, other: dict[str, Any], message: str) -> None:
    path = tmp_path / "measures.jsonl"
    Lines(path).add(result(**TERMS))
    path.write_text(path.read_text() + '{"metric": "ki')  # cut off
    with pytest.raises(ConfigError, match=message):
        Lines(path).check(Terms(**{**TERMS, **other}))
    lines = Lines(path)
    lines.check(Terms(**TERMS))
    lines.check(Terms(**{**TERMS, **other, "metric": "fid20k"}))
    lines.add(result(**{**TERMS, "value": 1.0}))
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [12.3456, 1.0]


@pytest.mark.parametrize("content", [b"my notes", b"{}\n", b"PK\x03\x04\xff\xfe", b"[1]\n"])
def test_other_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"is not a file of measures \(line 1\)"):
        Lines(path)
    assert path.read_bytes() == content
