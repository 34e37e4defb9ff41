"""Measure what a second process is worth on this machine's CPU: ``python experiments/scaling.py [overrides of align.py]``."""

import sys

from cultural_sp.benchmark.scaling import scaling

if __name__ == "__main__":
    try:
        print(scaling(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"error: {error}")
