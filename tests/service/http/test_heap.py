"""Large pieces of memory are mapped one by one, also after larger ones, where the C library is glibc."""

import platform
import re
import subprocess
import sys

import pytest

# How many are mapped at most at once: 20 of 1 MB, after one of 30 MB has been there.
_MAPPED = """
import ctypes, sys
from service.http.heap import give_back_what_is_large
if sys.argv[1] == "given back":
    give_back_what_is_large()
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
c.free(c.malloc(30_000_000))
for _ in range(20):
    c.malloc(1_000_000)
c.malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
@pytest.mark.parametrize(("large", "mapped"), [("given back", True), ("kept", False)])
def test_large_memory_is_mapped(large: str, mapped: bool) -> None:
    command = [sys.executable, "-c", _MAPPED, large]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    (most,) = re.findall(r"max mmap regions = +(\d+)", said)
    assert (int(most) >= 20) is mapped
