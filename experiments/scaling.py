"""Measure what a second process is worth on this machine's CPU: ``python experiments/scaling.py [overrides of align.py]``."""

import sys

from cultural_sp.benchmark.scaling import scaling
from cultural_sp.messages import bad_input_ends

if __name__ == "__main__":
    with bad_input_ends():
        print(scaling(sys.argv[1:]))
