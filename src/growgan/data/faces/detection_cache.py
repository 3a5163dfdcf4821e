"""Detected faces, in a file that grows with them, so that a killed build loses no work."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from PIL import Image

from growgan.data.faces.detect import Face
from growgan.data.faces.judge import Find


class DetectionCache:
    """Faces by the pixels in which they were found, regardless of file names. JSON lines.

    The first line is `settings`, which identify the finder: a file with other settings is started again. Every float is
    preserved exactly. Raises `OSError` if the file cannot be written.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self._path = path
        self._faces: dict[str, list[Face]] = {}
        self._new: SimpleQueue[tuple[str, list[Face]]] = SimpleQueue()
        first = json.dumps(settings)
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if path.exists() else []
        known = lines[1:] if lines[:1] == [first] else []
        try:
            for line in known:
                digest, rows = json.loads(line)
                self._faces[digest] = [Face(np.array(points, np.float32), confidence) for points, confidence in rows]
        except (ValueError, TypeError):  # damaged: only time is lost
            known, self._faces = [], {}
        path.write_text("".join(f"{line}\n" for line in (first, *known)), encoding="utf-8")  # drops a cut-off last line
        self._file = path.open("a", encoding="utf-8")

    def before(self, find: Find) -> Find:
        """Return a thread-safe `find` that calls the given one only for pictures that are not known."""

        def find_or_know(name: str, image: Image.Image) -> list[Face]:
            digest = hashlib.blake2b(f"{image.size}".encode() + image.tobytes(), digest_size=16).hexdigest()
            faces = self._faces.get(digest)
            if faces is None:
                faces = find(name, image)
                self._new.put((digest, faces))
            return faces

        return find_or_know

    def save(self) -> None:
        """Write what was found since the last call."""
        while not self._new.empty():
            digest, faces = self._new.get()
            rows = [[face.landmarks.tolist(), face.confidence] for face in faces]
            self._file.write(f"{json.dumps([digest, rows])}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file, keeping it for the next build."""
        self._file.close()

    def remove(self) -> None:
        """Remove the file: its faces are now in a set."""
        self._file.close()
        self._path.unlink(missing_ok=True)
