"""Measure what a second process is worth on this machine's CPU: ``python experiments/scaling.py [overrides of align.py]``."""

import sys

from cultural_sp.config.error_messages import bad_input_ends
from cultural_sp.studies.benchmark.scaling import scaling

if __name__ == "__main__":
    with bad_input_ends():
        print(scaling(sys.argv[1:]))
