"""``python -m growgan``."""

import sys

from growgan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
