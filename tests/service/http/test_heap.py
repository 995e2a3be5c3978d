"""All threads take their memory from one heap, where the C library is glibc."""

import platform
import subprocess
import sys

import pytest

# How many heaps glibc says that it has, after four threads have taken memory at once.
_COUNTED = """
import ctypes, sys, threading
from service.http.heap import keep_one_heap
if sys.argv[1] == "one":
    keep_one_heap()
together = threading.Barrier(4)
def work():
    together.wait()
    ctypes.CDLL(None).malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
@pytest.mark.parametrize(("heaps", "one"), [("one", True), ("as they come", False)])
def test_threads_share_a_heap(heaps: str, one: bool) -> None:
    said = subprocess.run([sys.executable, "-c", _COUNTED, heaps], capture_output=True, text=True, check=True).stderr
    assert (said.count("Arena ") == 1) is one
