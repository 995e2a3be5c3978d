"""With glibc, free memory is returned to the system."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")

_MALLOC = """
import asyncio, ctypes, sys
from service.http.server.heap import trim_heap, map_large_blocks
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    with open("/proc/self/statm") as file:
        print(int(file.read().split()[1]) * 4096)
"""
# A block of 30 MB is freed. Of 20 later blocks of 1 MB, all but the last, topmost one are freed.
_LARGE = """
if sys.argv[1] == "mapped":
    map_large_blocks()
c.free(c.malloc(30_000_000))
resident()
pieces = [c.malloc(1_000_000) for _ in range(20)]
for piece in pieces:
    ctypes.memset(piece, 1, 1_000_000)
resident()
for piece in pieces[:-1]:
    c.free(piece)
resident()
"""
# 50 MB of small pieces, of which every hundredth stays; and the resident memory before, with them and afterwards.
_HOLES = """
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


def _resident(code: str, word: str) -> tuple[int, int, int]:
    """Resident bytes before the blocks are allocated, with all of them, and after most of them are freed."""
    result = subprocess.run([sys.executable, "-c", _MALLOC + code, word], capture_output=True, text=True, check=True)
    before, full, after = map(int, result.stdout.split())
    return before, full, after


@pytest.mark.parametrize(
    ("word", "minimum", "maximum"), [("mapped", 0, 3_000_000), ("as it comes", 15_000_000, 25_000_000)]
)
def test_large_blocks_are_given_back_below_one_that_stays(word: str, minimum: int, maximum: int) -> None:
    before, full, after = _resident(_LARGE, word)
    assert full - before > 18_000_000
    assert minimum < after - before < maximum


@pytest.mark.parametrize(
    ("word", "minimum", "maximum"), [("given back", 0, 5_000_000), ("kept", 45_000_000, 60_000_000)]
)
def test_holes_are_given_back(word: str, minimum: int, maximum: int) -> None:
    before, full, after = _resident(_HOLES, word)
    assert full - before > 45_000_000
    assert minimum < after - before < maximum
