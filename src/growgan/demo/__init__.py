"""The data set inside the package: 3,100 pictures of Fashion-MNIST, enough to see a first network grow anywhere.

310 of each of ten classes of clothing, 32x32 pixels, grey, white on black; MIT licence, Copyright 2017 Zalando SE
(``fashion.LICENSE.txt``). ``scripts/make_demo_data.py`` made it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def dataset_path() -> Path:
    """Return the place of the set, a zip as ``growgan data build`` writes them."""
    return Path(str(files(__name__) / "fashion.zip"))
