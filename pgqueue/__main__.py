"""`python -m pgqueue` is the command `pgqueue`."""

from __future__ import annotations

import sys

from pgqueue.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
