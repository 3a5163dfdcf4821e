"""Seeds of all randomness: every draw has a name and a time on the clock.

A draw depends only on (seed, name, nimg), so neither a resume nor the number of processes changes a run.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, name: str, nimg: int = 0) -> int:
    """A 63-bit seed for the draw `name` after `nimg` images of the run with `seed`."""
    digest = hashlib.blake2b(f"{seed}/{name}/{nimg}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
