"""What the machine at hand is told, measured in a process of its own."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from foldwise import device

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        torch.empty(4 << 20, dtype=torch.uint8).fill_(1)  # A block as a step's activations.
        torch.empty(40 << 20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
assert device.keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="told to glibc only")
def test_freed_memory_is_not_faulted_in_again():
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    before, after = map(int, found.stdout.split())
    assert before > 1000
    assert after < before / 100
