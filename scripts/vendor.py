"""Fetch the two libraries of the studio's page: npm's files of these versions, as single ES modules.

    python scripts/vendor.py

Needs npm, and only to change a version: the files are kept with the source, so that neither installing nor running
growgan requires Node. `tests/studio/test_web.py` checks them against the digests here.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src/growgan/studio/web/vendor"
PACKAGES = {
    "preact@11.2.0": {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js", "LICENSE": "preact.LICENSE"},
    "htm@3.1.1": {"dist/htm.mjs": "htm.js", "LICENSE": "htm.LICENSE"},
}
"""Package and version -> its files, and their names here."""
DIGESTS = {
    "preact.js": "225d7a773766e6fb2cfcc45274fe41d2059f5782f3f2c4569aa5132a2d3a2902",
    "hooks.js": "5c65ab263688d0805862fd0807c779af02c2799c44fda0873dfcb870d0da70a0",
    "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
}
"""SHA-256 of the modules as stored here."""


def main() -> int:
    """Write the files. Returns 1 if one does not match its digest; the new digests are printed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for package, files in PACKAGES.items():
            packed = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True)
            with tarfile.open(Path(folder) / packed.stdout.decode().split()[-1]) as archive:
                for inside, name in files.items():
                    member = archive.extractfile(f"package/{inside}")
                    assert member is not None
                    (FOLDER / name).write_bytes(adapted(member.read()))
    found = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in DIGESTS}
    for name, digest in found.items():
        print(f'    "{name}": "{digest}",')
    return int(found != DIGESTS)


def adapted(module: bytes) -> bytes:
    """A module adapted to a page without an import map, without the reference to a source map."""
    lines = module.replace(b'from"preact"', b'from"./preact.js"').splitlines()
    return b"\n".join(line.rstrip() for line in lines if not line.startswith(b"//# sourceMappingURL=")) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
