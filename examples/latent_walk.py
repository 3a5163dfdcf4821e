"""A walk through latent space as a GIF: python examples/latent_walk.py RUN walk.gif

A model is called like the network that it is. Latents are normalised in it, so that the way from one to the next lies
on a sphere.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image

import growgan

FRAMES = 12  # from one seed to the next


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """A point on the arc from a to b."""
    angle = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    return np.asarray((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle))


def main(source: str, out: str, seeds: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Walk from seed to seed and back to the first."""
    G = growgan.load(source)
    stops = [np.random.RandomState(seed).standard_normal(G.spec.z_size) for seed in seeds]
    legs = zip(stops, [*stops[1:], stops[0]])
    z = np.stack([slerp(a, b, i / FRAMES) for a, b in legs for i in range(FRAMES)]).astype(np.float32)
    labels = torch.zeros(len(z), dtype=torch.int64) if G.spec.num_labels else None
    with torch.inference_mode():
        images = G(torch.from_numpy(z), labels)  # float [N, C, S, S], nominally in [-1, 1]
    pixels = (images * 127.5 + 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    first, *rest = [Image.fromarray(frame.squeeze()).resize((256, 256), Image.Resampling.NEAREST) for frame in pixels]
    first.save(out, save_all=True, append_images=rest, duration=60, loop=0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
