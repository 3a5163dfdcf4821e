"""How the data commands say things."""

from __future__ import annotations


def format_size(size_bytes: int) -> str:
    """A size as people read it: 812 bytes, 1.4 MB."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
