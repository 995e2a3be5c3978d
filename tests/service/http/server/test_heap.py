"""Memory that is free goes back to the system, where the C library is glibc."""

import platform
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")

_MALLOC = """
import asyncio, ctypes, sys
from service.http.server.heap import trim_heap, map_large_blocks
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
"""
# How many are mapped at most at once: 20 of 1 MB, after one of 30 MB has been there.
_MAPPED = """
if sys.argv[1] == "mapped":
    map_large_blocks()
c.free(c.malloc(30_000_000))
for _ in range(20):
    c.malloc(1_000_000)
c.malloc_stats()
"""
# 50 MB of small pieces, of which every hundredth stays; and what is resident before, with them and afterwards.
_HOLES = """
def resident():
    with open("/proc/self/statm") as file:
        print(int(file.read().split()[1]) * 4096)
async def wait():
    giving = asyncio.create_task(trim_heap(0.01))
    await asyncio.sleep(0.1 if sys.argv[1] == "given back" else 0)
    giving.cancel()
resident()
pieces = [c.malloc(50_000) for _ in range(1000)]
for piece in pieces:
    ctypes.memset(piece, 1, 50_000)
resident()
for i, piece in enumerate(pieces):
    if i % 100 < 99:
        c.free(piece)
asyncio.run(wait())
resident()
"""


def _run(code: str, word: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _MALLOC + code, word], capture_output=True, text=True, check=True)


@pytest.mark.parametrize(("word", "mapped"), [("mapped", True), ("as it comes", False)])
def test_large_memory_is_mapped(word: str, mapped: bool) -> None:
    (most,) = re.findall(r"max mmap regions = +(\d+)", _run(_MAPPED, word).stderr)
    assert (int(most) >= 20) is mapped


@pytest.mark.parametrize(("word", "least", "most"), [("given back", 0, 5_000_000), ("kept", 45_000_000, 60_000_000)])
def test_holes_are_given_back(word: str, least: int, most: int) -> None:
    before, full, after = map(int, _run(_HOLES, word).stdout.split())
    assert full - before > 45_000_000
    assert least < after - before < most
