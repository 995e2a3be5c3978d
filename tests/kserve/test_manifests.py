"""The manifests of deploy/kserve: valid by KServe's own schemas, with settings that the service understands."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.kserve import crds
from tests.kserve.environment import environment
from tests.server import ROOT

OBJECTS = {manifest["kind"]: manifest for manifest in crds.objects()}
RUNTIME, SERVICE = OBJECTS["ServingRuntime"], OBJECTS["InferenceService"]
(CONTAINER,) = RUNTIME["spec"]["containers"]


@pytest.mark.parametrize("kind", [*OBJECTS, "ClusterServingRuntime"])
def test_manifests_match_the_schema(kind: str) -> None:
    manifest = {**RUNTIME, "kind": kind} if kind == "ClusterServingRuntime" else OBJECTS[kind]
    crds.validate(manifest)
    metadata = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": manifest["metadata"]}  # which all kinds share
    kubernetes_validate.validate(metadata, "1.37", strict=True)


def _container(runtime: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = runtime["spec"]["containers"][0]
    return container


@pytest.mark.parametrize(
    "spoil",
    [
        lambda runtime: runtime["spec"].update(protocolVersion=["v1"]),
        lambda runtime: runtime["spec"].update(protocolVersions="v1"),
        lambda runtime: runtime["spec"].pop("containers"),
        lambda runtime: runtime.update(specs={}),
        lambda runtime: runtime["spec"]["supportedModelFormats"][0].update(version=1),
        lambda runtime: _container(runtime).pop("name"),
        lambda runtime: _container(runtime)["readinessProbe"].update(httpget={}),
        lambda runtime: _container(runtime)["readinessProbe"]["httpGet"].pop("port"),
        lambda runtime: _container(runtime)["securityContext"].update(readOnlyRootFileSystem=True),
        lambda runtime: _container(runtime)["env"].append({"value": "1"}),
        lambda runtime: _container(runtime)["resources"]["limits"].update(memory="much"),
    ],
)
def test_mistake_in_the_runtime_is_found(spoil: Callable[[dict[str, Any]], Any]) -> None:
    runtime = copy.deepcopy(RUNTIME)
    spoil(runtime)
    with pytest.raises(jsonschema.ValidationError):
        crds.validate(runtime)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda predictor: predictor.update(minReplica=2),
        lambda predictor: predictor.update(minReplicas="2"),
        lambda predictor: predictor.update(scaleMetric="processor"),
        lambda predictor: predictor["model"].update(storageURI="pvc://demur"),
        lambda predictor: predictor["model"]["modelFormat"].pop("name"),
    ],
)
def test_mistake_in_the_service_is_found(spoil: Callable[[dict[str, Any]], Any]) -> None:
    service = copy.deepcopy(SERVICE)
    spoil(service["spec"]["predictor"])
    with pytest.raises(jsonschema.ValidationError):
        crds.validate(service)


def test_service_finds_its_runtime() -> None:
    model = SERVICE["spec"]["predictor"]["model"]
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    formats = [
        {k: v for k, v in entry.items() if k != "autoSelect"} for entry in RUNTIME["spec"]["supportedModelFormats"]
    ]
    assert model["modelFormat"] in formats
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]
    assert CONTAINER["name"] == "kserve-container"  # required by KServe


def test_service_serves_what_the_kubernetes_job_publishes() -> None:
    job_yaml = (ROOT / "deploy" / "kubernetes" / "train.yaml").read_text()
    job = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(job_yaml)}
    claim = job["PersistentVolumeClaim"]["metadata"]["name"]
    assert SERVICE["spec"]["predictor"]["model"]["storageUri"] == f"pvc://{claim}"
    (mount,) = (
        m for m in job["Job"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] if m["name"] == claim
    )
    file = Path(environment("fashion-mnist")["DEMUR_MODEL_PATH"])
    assert file.parent == Path("/mnt/models")  # where KServe mounts it
    assert f"--out={mount['mountPath']}/{file.name}" in job["Job"]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_service_starts_with_what_kserve_sets(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("shoes").items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == settings.port
    monkeypatch.setenv("DEMUR_MODEL_PATH", str(tiny_model))
    with TestClient(create_app(Settings.from_environment())) as client:
        for probe in ("readinessProbe", "livenessProbe"):
            target = CONTAINER[probe]["httpGet"]
            assert target["port"] == settings.port
            assert client.get(target["path"]).status_code == 200
        assert client.get("/v1/models/shoes").json()["ready"] is True
        assert client.get("/v2/models/shoes/ready").status_code == 200
        assert client.get("/model").json()["served_as"] == "shoes"


def test_container_has_no_unneeded_rights() -> None:
    (user,) = set(re.findall(r"USER (\d+)", (ROOT / "Dockerfile").read_text()))
    context = CONTAINER["securityContext"]
    assert (context["runAsUser"], context["runAsNonRoot"]) == (int(user), True)
    assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {v["name"] for v in RUNTIME["spec"]["volumes"]}
    predictor = SERVICE["spec"]["predictor"]
    assert (predictor["automountServiceAccountToken"], predictor["enableServiceLinks"]) == (False, False)


def test_readme_names_existing_files() -> None:
    text = (crds.FOLDER / "README.md").read_text()
    assert all((ROOT / path).exists() for path in re.findall(r"deploy/\S+\.yaml", text))
    assert f"KServe {crds.VERSION.removeprefix('v')}" in text
    assert crds.VERSION in json.loads(crds.STORED.read_text())["source"]
    assert f"inferenceservice/{SERVICE['metadata']['name']}" in text
