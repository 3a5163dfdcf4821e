from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from growgan.core.errors import ConfigError, RunError
from growgan.evaluation.results import Reference, Result, append_lines, table, to_json


def result(**fields: Any) -> Result:
    given: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Result))
    given |= {"metric": "swd2k", "value": 12.3456, "images": 2048, "resolution": 32, "subject": "run/a.safetensors"}
    return Result(**{**given, **fields})


def test_table_has_a_row_a_snapshot_and_a_row_of_reals_a_size() -> None:
    levels, among = {32: 20.0, 16: 4.6912}, {32: 3.0, 16: 5.0}
    reference = Reference(4.0, among, 1000)
    text = table(
        [
            result(subject="run/first", resolution=4, metric="fid2048", value=1234.5),
            result(subject="run/a", levels=levels, reference=reference),
            result(subject="run/a", metric="fid2048", value=0.00012345, reference=Reference(2, None, 2048)),
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


def test_json_holds_every_field() -> None:
    (entry,) = to_json([result(levels={32: 1.0}, reference=Reference(4.0, None, 7))])
    assert entry["reference"] == {"value": 4.0, "levels": None, "images": 7}
    assert json.loads(json.dumps(entry))["levels"] == {"32": 1.0}
    assert set(entry) == {field.name for field in dataclasses.fields(Result)}


def test_lines_are_added(tmp_path: Path) -> None:
    path = tmp_path / "new" / "measures.jsonl"
    append_lines(path, [result(protocol="pixels")])
    append_lines(path, [result(value=value, protocol="pixels") for value in (1.0, 2.0)])
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [12.3456, 1.0, 2.0]
    with pytest.raises(RunError, match="cannot write"):
        append_lines(tmp_path, [result()])


def test_unlike_protocols_are_not_mixed_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    append_lines(path, [result(metric="fid10k", protocol="inception:1/a")])
    path.write_text(path.read_text() + '{"metric": "ki')  # cut off
    with pytest.raises(ConfigError, match=r"has fid10k by the protocol inception:1/a, with which inception:2/a cannot"):
        append_lines(path, [result(metric="fid10k", protocol="inception:2/a")])
    append_lines(path, [result(metric="fid10k", protocol="inception:1/a")])
    assert [line[:9] for line in path.read_text().splitlines()] == ['{"metric"'] * 3
