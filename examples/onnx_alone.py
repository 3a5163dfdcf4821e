"""Pictures from an exported model with only numpy, onnxruntime and Pillow: no torch, and no growgan.

growgan export RUN model.onnx; python examples/onnx_alone.py model.onnx pictures.png
"""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image


def main(model: str, out: str, seeds: range = range(8), psi: float = 0.8) -> None:
    """A row of pictures, one per seed."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # hides the warning that psi is an input with a default
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = {i.name: i.shape for i in session.get_inputs()}
    z = np.stack([np.random.RandomState(seed).standard_normal(inputs["z"][1]) for seed in seeds])
    feeds = {"z": z.astype(np.float32), "psi": np.asarray(psi, dtype=np.float32)}
    if "labels" in inputs:  # one-hot here; mixtures work too
        feeds["labels"] = np.eye(inputs["labels"][1], dtype=np.float32)[np.zeros(len(z), dtype=int)]
    (images,) = session.run(["images"], feeds)  # float32 [N, C, S, S], nominally in [-1, 1]
    row = np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
    pixels = np.clip(np.rint(row * 127.5 + 127.5), 0, 255).astype(np.uint8)
    Image.fromarray(pixels.squeeze()).save(out)
    metadata = session.get_modelmeta().custom_metadata_map
    print("licence:", json.loads(metadata["growgan.card"]).get("license", "not stated"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
