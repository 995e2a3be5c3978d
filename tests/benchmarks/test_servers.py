"""Real servers under test."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.processes import processor_seconds, proportional, resident, tree
from benchmarks.serving import environments, servers, throughput
from benchmarks.serving.targets import share_of_limit

ROOT = Path(__file__).parents[2]


def test_wrong_answer_is_rejected() -> None:
    right = np.array([0.25, 0.75], np.float32)
    ours = servers.ours()
    ours.check(b'{"predictions": [{"probabilities": [0.250001, 0.75]}]}', right)
    for wrong in ("[0.2501, 0.75]", "[0.75, 0.25]", "[0.25]", "[NaN, 0.75]"):
        with pytest.raises(ValueError, match="onnxruntime"):
            ours.check(f'{{"predictions": [{{"probabilities": {wrong}}}]}}'.encode(), right)


def test_every_peer_is_pinned_and_has_an_adapter_and_onnxruntime_is_ours() -> None:
    named = {server.peer for server in servers.peers()}
    assert named == set(environments.names())
    locked = (ROOT / "requirements" / "serve.txt").read_text()
    for peer in environments.names():
        assert (ROOT / "benchmarks" / "serving" / "peers" / f"{peer}.py").exists()
        pins = environments.versions(peer)
        assert next(iter(pins)) == peer
        assert f"onnxruntime=={pins['onnxruntime']} " in locked


def test_process_tree_includes_children() -> None:
    child = "import sys; print(flush=True); sys.stdin.read()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = tree(process.pid)
        assert len(pids) == 2
        assert pids[0] == process.pid
        assert all(processor_seconds(pid) < 20 for pid in pids)
        assert all(0 < proportional(pid) <= resident(pid) for pid in pids)
    assert tree(process.pid) == []


@pytest.mark.slow
def test_short_round_measures_the_service_and_the_limit(trained_model: Path) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("no wrk on this machine")
    compared = throughput.with_limits([servers.ours()], trained_model)
    document = throughput.measure(compared, trained_model, rounds=1, seconds=1)
    assert [server["name"] for server in document["servers"]] == ["demur-json", "limit-demur-json"]
    assert 0.01 < share_of_limit(document, "demur-json").median < 1
