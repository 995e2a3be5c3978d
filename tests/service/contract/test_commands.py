"""How a command ends where nothing reads its output."""

import os
import subprocess
import sys

import pytest

PROGRAM = "from service.contract.commands import escaped_output\nwith escaped_output():\n    print('a line')"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_command_ends_quietly_if_nothing_reads_its_output(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], stdout=writer, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
