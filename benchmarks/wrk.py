"""wrk, driven from here: requests a second of one body to one or several paths in turn."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CONNECTIONS = 16


def two_cores() -> tuple[int, int]:
    """A core for the server and one for wrk; ends the program without two cores or if a tool is missing."""
    for program in ("wrk", "taskset"):
        if shutil.which(program) is None:
            sys.exit(f"this benchmark needs {program}")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("this benchmark needs two cores: one for the server, one for wrk")
    return cores[0], cores[1]


def rate(
    address: str,
    paths: Sequence[str],
    body: bytes,
    content_type: str,
    core: int | Sequence[int],
    seconds: float,
    *,
    accept: str = "*/*",
    headers: Mapping[str, str] | None = None,
    connections: int = CONNECTIONS,
) -> float:
    """Requests a second of wrk, over the paths in turn; ends the program if a request failed.

    wrk has one thread on each of the given cores.
    """
    cores = [core] if isinstance(core, int) else core
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body"
        path.write_bytes(body)
        script = Path(folder) / "post.lua"
        more = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in (headers or {}).items())
        listed = ", ".join(f'"{path}"' for path in paths)
        script.write_text(
            f"""wrk.method = "POST"
            wrk.headers["Content-Type"] = "{content_type}"
            wrk.headers["Accept"] = "{accept}"
            {more}
            local file = io.open("{path}", "rb")
            wrk.body = file:read("*a")
            local paths = {{ {listed} }}
            local requests, last = {{}}, 0
            init = function(arguments)
              for i, path in ipairs(paths) do requests[i] = wrk.format(nil, path) end
            end
            request = function()
              last = last % #requests + 1
              return requests[last]
            end
            done = function(summary, latency, requests)
              local e = summary.errors
              io.stderr:write(string.format("%d %d %d", summary.requests, summary.duration,
                e.connect + e.read + e.write + e.status + e.timeout))
            end"""
        )
        command = ["wrk", f"-t{len(cores)}", f"-c{connections}", f"-d{seconds}s", "-s", str(script), address]
        pinned = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
        result = subprocess.run(pinned, capture_output=True, text=True, check=True)
    requests, microseconds, failed = map(int, result.stderr.split())
    if failed:
        sys.exit(f"{failed} of {requests} requests to {address}{paths[0]} failed")
    return requests / microseconds * 1e6
