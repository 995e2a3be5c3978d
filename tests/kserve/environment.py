"""The environment that KServe gives the container of an InferenceService."""

from tests.kserve import crds


def environment(name: str) -> dict[str, str]:
    """The runtime's variables for an InferenceService of that name."""
    (runtime,) = (manifest for manifest in crds.objects() if manifest["kind"] == "ServingRuntime")
    (container,) = runtime["spec"]["containers"]
    return {entry["name"]: entry["value"].replace("{{.Name}}", name) for entry in container["env"]}
