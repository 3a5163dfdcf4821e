"""Names on sheets are letters, not boxes."""

from __future__ import annotations

import subprocess
import sys

from PIL import ImageFont

from growgan.core.fonts import sans


def test_letters_that_the_users_names_may_have() -> None:
    font = ImageFont.truetype(sans(), 12)
    missing = bytes(font.getmask("\U000f0000"))
    for letter in "aäßéñøłşčœÅαΩжЯ":
        assert bytes(font.getmask(letter)) != missing, letter


def test_matplotlib_is_not_imported_for_it() -> None:
    script = "import sys; from growgan.core.fonts import sans; sans(); sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
