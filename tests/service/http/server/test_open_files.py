"""The limit on open files follows from the connections."""

import subprocess
import sys

import pytest

from tests.server import ROOT

PROGRAM = """
import logging, resource, sys
from service.http.server.open_files import allow_connections
logging.basicConfig(stream=sys.stdout, format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 400))
allow_connections(int(sys.argv[1]))
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        (100, "(300, 400)\n"),
        (200, "the system allows 400 open files, and 200 connections need 500\n(400, 400)\n"),
    ],
)
def test_limit_is_raised_as_far_as_possible(connections: int, expected: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(connections)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == expected
