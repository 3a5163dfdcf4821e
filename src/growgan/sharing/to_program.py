"""Export to torch's own format (.pt2): runs with torch but without growgan, in Python or in C++ (AOTInductor)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from growgan.core.files import whole
from growgan.models.description import to_metadata
from growgan.sampling.model import Model
from growgan.sharing.trace import examples, largest_difference, reference, trace


def export_program(
    model: Model, path: Path, resolution: int | None, measures: dict[str, Any], card: dict[str, Any]
) -> float:
    """Write a .pt2 file for ``torch.export.load``. Returns the largest difference from the model's images.

    ``torch.export.load(path).module()(z, psi)``, or ``(z, labels, psi)`` for a conditional model. Raises `ModelError`
    if the images differ; nothing is written then.
    """
    program = trace(model, resolution)
    training = model.file.training | {"resolution": program.resolution, "alpha": program.alpha}
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metadata = to_metadata(model.spec, training, measures, card)
        torch.export.save(program.exported, content, extra_files=metadata)
        content.seek(0)
        run = torch.export.load(content).module()
    worst = 0.0
    for feeds in examples(model):
        with torch.inference_mode():
            images = run(*(torch.from_numpy(feeds[name]) for name in program.inputs)).numpy()
        worst = max(worst, largest_difference(images, reference(model, feeds, program), str(path)))
    with whole(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return worst
