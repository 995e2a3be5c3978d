"""The manifests of deploy/kubernetes: valid, consistent, and with valid commands."""

import argparse
import copy
import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fastapi.testclient import TestClient
from torch.distributed.run import get_args_parser

from service.settings import Settings
from tests.server import ROOT
from training.cli import parser

KUBERNETES = "1.37"
FOLDER = ROOT / "deploy" / "kubernetes"
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (path.name, manifest["kind"]): manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
}
JOB, DEPLOYMENT = OBJECTS["train.yaml", "Job"], OBJECTS["serve.yaml", "Deployment"]


def _pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def _container(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = _pod(workload)["containers"]
    assert isinstance(container, dict)
    return container


def _torchrun() -> argparse.Namespace:
    """The parsed options of the Job's command in the pod of index 1."""
    arguments = [word.replace("$(JOB_COMPLETION_INDEX)", "1") for word in _container(JOB)["args"]]
    options: argparse.Namespace = get_args_parser().parse_args(arguments)
    return options


@pytest.mark.parametrize("name", OBJECTS, ids=" ".join)
def test_object_matches_the_schema(name: tuple[str, str]) -> None:
    assert kubernetes_validate.validate(OBJECTS[name], KUBERNETES, strict=True) == KUBERNETES


@pytest.mark.parametrize(
    "spoil",
    [
        lambda job: job["spec"].update(completionsMode="Indexed"),
        lambda job: job["spec"].update(parallelism="two"),
        lambda job: job["spec"].pop("template"),
        lambda job: _pod(job).update(restartpolicy="OnFailure"),
        lambda job: _container(job)["securityContext"].update(readOnlyRootFileSystem=True),
        lambda job: _container(job)["env"].append({"value": "1"}),
    ],
    ids=["unknown", "type", "missing", "pod", "capitals", "nameless"],
)
def test_mistake_is_found(spoil: Callable[[dict[str, Any]], Any]) -> None:
    job = copy.deepcopy(JOB)
    spoil(job)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_command_of_the_job_is_valid_for_torchrun_and_training() -> None:
    container = _container(JOB)
    assert container["command"] == ["python", "-m", "torch.distributed.run"]
    torchrun = _torchrun()
    assert (torchrun.module, torchrun.training_script) == (True, "training")
    fit = parser.parser().parse_args(torchrun.training_script_args)
    assert fit.command == "fit"
    assert fit.checkpoint is not None
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    for path in (fit.data, fit.labels, fit.checkpoint, fit.out, fit.report_dir):
        assert str(path.parent) in mounts


def test_pods_find_one_another() -> None:
    name, spec, service = JOB["metadata"]["name"], JOB["spec"], OBJECTS["train.yaml", "Service"]
    torchrun = _torchrun()
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(torchrun.nnodes) == 2
    assert torchrun.node_rank == 1
    # The name of the pod of index 0 by the headless service.
    assert service["spec"]["clusterIP"] == "None"
    assert _pod(JOB)["subdomain"] == service["metadata"]["name"]
    assert torchrun.master_addr == f"{name}-0.{service['metadata']['name']}"
    assert [port["port"] for port in service["spec"]["ports"]] == [torchrun.master_port]
    selector = {"batch.kubernetes.io/job-name": name}  # the Job's controller adds this to its pods
    policy = OBJECTS["train.yaml", "NetworkPolicy"]["spec"]
    assert service["spec"]["selector"] == policy["podSelector"]["matchLabels"] == selector
    assert policy["ingress"] == [{"from": [{"podSelector": {"matchLabels": selector}}]}]


def test_thread_count_is_the_processor_count() -> None:
    container = _container(JOB)
    assert {"name": "OMP_NUM_THREADS", "value": container["resources"]["requests"]["cpu"]} in container["env"]


@pytest.mark.parametrize("workload", [JOB, DEPLOYMENT], ids=["train", "serve"])
def test_pod_has_no_unneeded_rights(workload: dict[str, Any]) -> None:
    pod, container = _pod(workload), _container(workload)
    (user,) = set(re.findall(r"USER (\d+)", (ROOT / "Dockerfile").read_text()))
    assert pod["securityContext"]["runAsUser"] == int(user)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    claim = OBJECTS["train.yaml", "PersistentVolumeClaim"]["metadata"]["name"]
    assert [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "emptyDir" not in v] == [claim]
    assert f" AS {container['name']}\n" in (ROOT / "Dockerfile").read_text()  # the make target named in the comment


def test_service_serves_what_the_job_publishes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    container, service = _container(DEPLOYMENT), OBJECTS["serve.yaml", "Service"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert f"--out={Settings.from_environment().model_path}" in _container(JOB)["args"]
    (port,) = container["ports"]
    assert port["containerPort"] == Settings().port
    assert [entry["targetPort"] for entry in service["spec"]["ports"]] == [port["name"]]
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == DEPLOYMENT["spec"]["selector"]["matchLabels"]
    for probe in ("readinessProbe", "livenessProbe"):
        target = container[probe]["httpGet"]
        assert target["port"] == port["name"]
        assert client.get(target["path"]).status_code == 200
    # Kubernetes would set variables such as DEMUR_SERVE_PORT for the Service, which are no settings.
    assert _pod(DEPLOYMENT)["enableServiceLinks"] is False
    settings = Settings.from_environment()
    assert settings.drain_seconds > 0
    # Time for the connections that are open when the drain ends, and for the end of the process.
    needed = settings.drain_seconds + settings.shutdown_seconds + 2
    assert _pod(DEPLOYMENT)["terminationGracePeriodSeconds"] > needed


def test_idle_connections_are_kept_longer_than_by_what_is_in_front() -> None:
    variables = {entry["name"]: entry["value"] for entry in _container(DEPLOYMENT)["env"]}
    (in_image,) = re.findall(r"DEMUR_KEEP_ALIVE_SECONDS=(\d+)", (ROOT / "Dockerfile").read_text())
    assert in_image == variables["DEMUR_KEEP_ALIVE_SECONDS"]
    assert int(in_image) > 60  # the default of nginx, of its ingress controller and of AWS load balancers


def test_scaling_targets_the_deployment() -> None:
    labels = {"matchLabels": DEPLOYMENT["spec"]["template"]["metadata"]["labels"]}
    autoscaler = OBJECTS["scale.yaml", "HorizontalPodAutoscaler"]["spec"]
    target = autoscaler["scaleTargetRef"]
    assert {key: target[key] for key in ("apiVersion", "kind")} == {
        key: DEPLOYMENT[key] for key in ("apiVersion", "kind")
    }
    assert target["name"] == DEPLOYMENT["metadata"]["name"]
    assert "replicas" not in DEPLOYMENT["spec"]  # otherwise each apply would undo the scaling
    (metric,) = autoscaler["metrics"]
    assert metric["resource"]["name"] in _container(DEPLOYMENT)["resources"]["requests"]  # the base of the utilization
    assert OBJECTS["scale.yaml", "PodDisruptionBudget"]["spec"]["selector"] == labels
    (spread,) = _pod(DEPLOYMENT)["topologySpreadConstraints"]
    assert spread["labelSelector"] == labels


def test_readme_names_existing_objects() -> None:
    text = (FOLDER / "README.md").read_text()
    for path in re.findall(r"deploy/kubernetes/\S+\.yaml", text):
        assert (ROOT / path).exists()
    kinds = {"job": "Job", "deployment": "Deployment", "service": "Service"}
    objects = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in OBJECTS.values()}
    named = re.findall(r"\b(job|deployment|service)[/ ](demur-[a-z]+)", text)
    assert len(named) >= 4
    assert {(kinds[kind], name) for kind, name in named} <= objects
    assert f"Kubernetes {KUBERNETES}" in text
