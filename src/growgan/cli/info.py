"""``growgan info``: the contents of a model file."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from growgan.cli.model import add_model
from growgan.core.text import printable

if TYPE_CHECKING:
    from growgan.models.description import DescribedFile
    from growgan.models.inspect import Inspected, Layer

SUMMARY = "show what a model file holds: training, measures, licence and layers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the description and a table of layers; for a model file of ours, no weights are read."""
    from growgan.models.foreign.kinds import is_foreign
    from growgan.sampling.sources import find

    path = find(args.model)
    if path.suffix == ".onnx":
        from growgan.sampling.onnx_model import OnnxModel

        file, inspected = OnnxModel(path).file, None
    elif is_foreign(path):
        from growgan.models.foreign.opening import open_foreign

        inspected = open_foreign(path).inspect()
        file = inspected.file
    else:
        from growgan.models.inspect import inspect

        inspected = inspect(path)
        file = inspected.file
    if args.json:
        print(json.dumps(_to_json(file, inspected)))
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(_lines(file, inspected, columns)))
    return 0


def _to_json(file: DescribedFile, inspected: Inspected | None) -> dict[str, Any]:
    from dataclasses import asdict

    from growgan.core.fields import to_json
    from growgan.models.description import FORMAT

    found: dict[str, Any] = {
        "path": str(file.path),
        "sha256": file.hash,
        "bytes": file.path.stat().st_size,
        "format": getattr(file, "origin", FORMAT),
        "resolution": file.resolution,
        "alpha": file.alpha,
        "spec": to_json(file.spec),
        "training": file.training,
        "measures": file.measures,
        "card": file.card,
    }
    if inspected is not None:
        found |= {"dtypes": inspected.dtypes, "truncation": inspected.truncation}
        found["networks"] = {
            name: {
                "parameters": _parameters(layers),
                "flops": _flops(layers),
                "layers": [asdict(one) for one in layers],
            }
            for name, layers in inspected.networks.items()
        }
    return found


def _lines(file: DescribedFile, inspected: Inspected | None, columns: int | None) -> list[str]:
    """The output, wrapped to a terminal's columns; without a terminal, one line per row, for searching."""
    rows = [("model", f"{file.path}, {file.path.stat().st_size / 1e6:,.1f} MB"), ("reached", file.describe())]
    if inspected is not None:
        mean = ", truncation mean" if inspected.truncation else ""
        rows.append(("holds", f"{', '.join(inspected.networks)} in {', '.join(inspected.dtypes)}{mean}"))
    rows += [("network", _changed(file)), ("training", _training(file.training)), ("labels", _labels(file))]
    rows += [("measure", f"{name} {_measure(found)}") for name, found in sorted(file.measures.items())]
    rows += [(name.replace("_", " "), " ".join(_plain(text).split())) for name, text in file.card.items()]
    indent = max(len(name) for name, _ in rows) + 2
    lines = [line for name, text in rows if text for line in _row(name.ljust(indent), text, columns)]
    if inspected is not None:
        for name, layers in _apart(inspected).items():
            lines += ["", *map(printable, _table(name, layers, file.resolution))]
    return lines


def _row(name: str, text: str, columns: int | None) -> list[str]:
    name, text = printable(name), printable(text)  # a card from somewhere else may contain anything
    if columns is None:
        return [name + text]
    return textwrap.wrap(
        text,
        max(columns, len(name) + 20),
        initial_indent=name,
        subsequent_indent=" " * len(name),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _changed(file: DescribedFile) -> str:
    """Fields of the spec that differ from the default, and the few that are always of interest."""
    from growgan.core.config import NetworkSpec
    from growgan.core.fields import to_json

    default, spec = to_json(NetworkSpec()), to_json(file.spec)
    usual, variant = default.pop("variant"), spec.pop("variant")
    found = {k: v for k, v in spec.items() if k in ("resolution", "channels") or v != default[k]}
    found |= {f"variant.{k}": v for k, v in variant.items() if v != usual[k]}
    return ", ".join(f"{k} {_plain(v)}" for k, v in found.items())


def _plain(value: Any) -> str:
    """A header value in words; for a dictionary or list, its contents."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items() if part not in ("", [], {}, None))
    return "; ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _training(training: dict[str, Any]) -> str:
    known = ("growgan", "parent", "preset", "loss", "seed", "nimg", "seconds", "mirror", "data")
    return ", ".join(f"{key} {_plain(training[key])}" for key in known if training.get(key) not in (None, ""))


def _labels(file: DescribedFile) -> str:
    names = file.training.get("class_names") or []
    if not file.spec.num_labels:
        return ""
    kind = "attributes" if file.spec.multi_label else "classes"
    more = ", ..." if len(names) > 20 else ""
    return f"{file.spec.num_labels} {kind}" + (f": {', '.join(names[:20])}{more}" if names else "")


def _measure(found: Any) -> str:
    value = found.get("value") if isinstance(found, dict) else found
    images = found.get("images") if isinstance(found, dict) else None
    shown = f"{value:.4g}" if isinstance(value, int | float) else str(value)
    return shown + (f" ({images:,} pictures)" if isinstance(images, int) else "")


def _apart(inspected: Inspected) -> dict[str, list[Layer]]:
    """Networks by title; G and its average, which have the same shape, as one."""
    networks = dict(inspected.networks)
    if "G_ema" in networks and "G" in networks:
        del networks["G"]
        return {("G_ema and G" if name == "G_ema" else name): layers for name, layers in networks.items()}
    return networks


def _table(name: str, layers: list[Layer], resolution: int) -> list[str]:
    rows = [(name, "weight", "output", "parameters", "MFLOPs")]
    for layer in layers:
        cells = layer.name, _shape(layer.weight), _shape(layer.output), f"{layer.parameters:,}", _mega(layer.flops)
        rows.append(cells if layer.used else (*cells[:4], "-"))
    rows.append((f"at {resolution}x{resolution}", "", "", f"{_parameters(layers, used=True):,}", _mega(_flops(layers))))
    rows.append(("all layers", "", "", f"{_parameters(layers):,}", ""))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]


def _parameters(layers: list[Layer], used: bool = False) -> int:
    return sum(layer.parameters for layer in layers if layer.used or not used)


def _flops(layers: list[Layer]) -> float:
    return math.fsum(layer.flops for layer in layers if layer.used)


def _shape(numbers: list[int]) -> str:
    return "x".join(map(str, numbers))


def _mega(flops: float) -> str:
    return f"{flops / 1e6:,.2f}"
