"""Export to ONNX: one self-contained file, verified against the model before it gets its name."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from growgan import __version__
from growgan.core.errors import ConfigError, ModelError
from growgan.core.files import whole
from growgan.models.description import to_metadata
from growgan.sampling.model import Model
from growgan.sampling.onnx_model import OnnxModel
from growgan.sharing.trace import Program, examples, largest_difference, reference, trace

OPSET = 18
"""From 2022, supported by every current runtime; nothing newer is used."""
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(
    model: Model, path: Path, resolution: int | None, measures: dict[str, Any], card: dict[str, Any]
) -> float:
    """Write an .onnx file with `OnnxModel`'s inputs and output. Returns the largest difference from the model's images.

    Raises `ConfigError` if a package is missing, and `ModelError` if the images differ; nothing is written then.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"export to ONNX needs the package {missing[0]}: pip install onnx onnxscript onnxruntime")
    program = trace(model, resolution)
    proto = _to_proto(program)
    training = model.file.training | {"resolution": program.resolution, "alpha": program.alpha}
    for key, value in to_metadata(model.spec, training, measures, card).items():
        proto.metadata_props.add(key=key, value=value)
    try:
        content = proto.SerializeToString()
    except Exception as error:  # protobuf's own types
        raise ModelError(f"{path}: this model exceeds the 2 GB limit of an ONNX file") from error
    with whole(path) as temporary:
        temporary.write_bytes(content)
        return _check(model, program, OnnxModel(temporary), path)


def _to_proto(program: Program) -> Any:
    """The program as ONNX's ModelProto, without what the exporter records about this machine, such as source paths."""
    import onnx
    from onnx import numpy_helper

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it reports on torchvision, which is not used here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(
                program.exported,
                dynamo=True,
                input_names=program.inputs,
                output_names=("images",),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert exported is not None
    proto: Any = exported.model_proto
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
    graph.name, proto.producer_name, proto.producer_version = "generator", "growgan", __version__
    for value in (*graph.input, *graph.output):
        if value.name != "psi":
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # An input is optional if it has an initializer of the same name.
    one = numpy_helper.from_array(torch.tensor(1.0).numpy(), "psi")
    graph.initializer.append(one)
    onnx.checker.check_model(proto)
    return proto


def _check(model: Model, program: Program, found: OnnxModel, path: Path) -> float:
    worst = 0.0
    for feeds in examples(model):
        images = found(feeds["z"], feeds.get("labels"), float(feeds["psi"]))
        worst = max(worst, largest_difference(images, reference(model, feeds, program), str(path)))
    return worst
