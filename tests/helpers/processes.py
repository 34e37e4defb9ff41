"""Runs of several processes."""

import os
import subprocess
import sys


def start(size, overrides, log):
    """Several processes of one thread each, as ``torchrun`` starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(size)]
    return subprocess.Popen(
        [*command, "--module", "cultural_sp", "align", *overrides],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=log.open("wb"),
        stderr=log.with_suffix(".err").open("wb"),
    )
