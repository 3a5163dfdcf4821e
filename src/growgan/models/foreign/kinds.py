"""First bytes of other programs' files: enough to tell them from ours without torch."""

from __future__ import annotations

import re
from pathlib import Path

ZIP = b"PK\x03\x04"
LEGACY = re.compile(
    rb"(?:\x80[\x02-\x05](?:\x95.{8})?\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19|L119547037146038801333356L\n)\.", re.DOTALL
)
"""First bytes of PyTorch files before 1.6: a pickled number, in any protocol."""
PICKLES = (b"\x80", b"(", b"c", b"]", b"}", b"i")
"""First bytes of pickled networks, in any protocol."""


def is_foreign(path: Path) -> bool:
    """Whether a file begins like one of another program rather than one of ours."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(32)
    ours = head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size
    return not ours and (head.startswith((ZIP, *PICKLES)) or LEGACY.match(head) is not None)
