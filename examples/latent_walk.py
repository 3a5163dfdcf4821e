"""A walk through latent space as a film: python examples/latent_walk.py RUN walk.gif

A walk is an array of latents, one per frame and cell; here a zoom is added by hand to what `growgan video` would make.
"""

from __future__ import annotations

import sys

import growgan
from growgan.sampling import films, walks

FRAMES = 48


def main(source: str, out: str, seeds: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Walk from seed to seed and back to the first, zooming in all the while."""
    G = growgan.load(source)
    keys = walks.still(seeds, G.spec, G.distribution)
    walk = walks.through(keys, FRAMES, 1, G.spec)
    frames = []
    for i, picture in enumerate(G.frames(walk, truncation=0.8)):
        margin = picture.width * i / FRAMES / 8
        box = (margin, margin, picture.width - margin, picture.height - margin)
        frames.append(picture.resize((256, 256), box=box))
    films.write(out, frames, fps=16)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
