"""The dataset inside the package: faces of nobody, enough to see a first network grow anywhere.

Made by one of the package's own models: ``faces.NOTICE.txt`` says which one, from which seeds, and under which licence.
``scripts/make_demo_data.py`` makes both files.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from growgan.core.cache import cache_dir
from growgan.core.files import whole


def dataset_path() -> Path:
    """The path of the dataset, a zip as written by ``growgan data build``, in this folder."""
    (path,) = Path(str(files(__name__))).glob("*.zip")
    return path


def working_copy() -> Path:
    """A copy of the dataset in the user's cache, where its pyramid can be stored; the package stays unchanged."""
    source = dataset_path()
    copy = cache_dir() / "sets" / f"demo-{source.name}"
    if not copy.is_file() or copy.stat().st_size != source.stat().st_size:
        with whole(copy) as temporary:
            temporary.write_bytes(source.read_bytes())
    return copy
