"""The commands and the examples of a secret in docs/operations.md, on access control."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.documents import DOCS, blocks
from tests.server import ROOT, command_environment, serving
from tests.test_kubernetes import DEPLOYMENT, KUBERNETES

SECTION = (DOCS / "operations.md").read_text().partition("## Access control\n")[2].partition("\n## ")[0]


def test_commands_make_a_file_that_lets_the_request_in(trained_model: Path, tmp_path: Path) -> None:
    making, asking = blocks(SECTION, "sh")
    *made, served = making.splitlines()
    assert served == "DEMUR_API_KEYS=keys demur serve"
    environment = {**command_environment(), "PYTHONPATH": str(ROOT)}
    presented = [
        subprocess.check_output(
            ["bash", "-c", command.replace("demur", f"{sys.executable} -m demur", 1)],
            cwd=tmp_path,
            env=environment,
            text=True,
        ).strip()
        for command in made
    ]
    with serving(trained_model, DEMUR_API_KEYS=str(tmp_path / "keys")) as server:
        command = asking.replace("http://127.0.0.1:8000", server.address)
        answers = [
            subprocess.check_output(["bash", "-c", command], cwd=ROOT, env={**os.environ, "KEY": key}, text=True)
            for key in presented
        ]
        assert server.stop(signal.SIGTERM) == 0
    assert '"label":"Ankle boot"' in answers[0]
    assert "needs predict" in answers[1]


def test_secret_of_compose_is_where_the_setting_looks() -> None:
    compose, _ = map(yaml.safe_load, blocks(SECTION, "yaml"))
    serve = compose["services"]["serve"]
    (secret,) = serve["secrets"]
    assert serve["environment"]["DEMUR_API_KEYS"] == f"/run/secrets/{secret}"
    assert compose["secrets"].keys() == {secret}
    assert "serve" in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def test_secret_of_kubernetes_is_where_the_setting_looks() -> None:
    added: dict[str, Any] = yaml.safe_load(blocks(SECTION, "yaml")[1])
    deployment = yaml.safe_load(yaml.safe_dump(DEPLOYMENT))
    pod = deployment["spec"]["template"]["spec"]
    for name in ("env", "volumeMounts"):
        pod["containers"][0][name] += added[name]
    pod["volumes"] += added["volumes"]
    assert kubernetes_validate.validate(deployment, KUBERNETES, strict=True) == KUBERNETES
    (mount,), (variable,), (volume,) = added["volumeMounts"], added["env"], added["volumes"]
    assert mount["name"] == volume["name"]
    made = re.search(r"create secret generic (\S+) --from-file=(\w+)", SECTION)
    assert made is not None
    assert volume["secret"]["secretName"] == made[1]
    assert variable["value"] == f"{mount['mountPath']}/{made[2]}"
