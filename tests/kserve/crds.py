"""The parts of KServe's schemas that our manifests use, and the validation of a manifest against them.

`python -m tests.kserve.crds CRDS.yaml` rewrites `crds.json` from `install/v0.20.0/kserve-crds.yaml` of
github.com/kserve/kserve (Copyright The KServe Authors, Apache License 2.0), which is 2.3 MB: along the properties that
the manifests of deploy/kserve have, every schema is whole but for its texts; of the other properties only the names and
types are kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.server import ROOT

VERSION = "v0.20.0"
FOLDER = ROOT / "deploy" / "kserve"
STORED = Path(__file__).parent / "crds.json"
_UNKNOWN_ALLOWED = "x-kubernetes-preserve-unknown-fields"
_KEPT = ("type", "required", "enum", "anyOf", "minimum", "maximum", "pattern", "format", "maxLength", _UNKNOWN_ALLOWED)


def objects() -> list[dict[str, Any]]:
    """The manifests of deploy/kserve."""
    return [manifest for path in sorted(FOLDER.glob("*.yaml")) for manifest in yaml.safe_load_all(path.read_text())]


def validate(manifest: dict[str, Any]) -> None:
    """Raise jsonschema.ValidationError for a value that the API server would refuse or a field that it would drop."""
    schema = json.loads(STORED.read_text())["schemas"][f"{manifest['apiVersion']} {manifest['kind']}"]
    jsonschema.validate(manifest, _strict(schema))


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with unknown properties as errors, as in `kubectl apply`."""
    strict = dict(schema)
    if isinstance(items := schema.get("items"), dict):
        strict["items"] = _strict(items)
    if isinstance(properties := schema.get("properties"), dict):
        strict["properties"] = {name: _strict(inner) for name, inner in properties.items()}
        strict["additionalProperties"] = bool(schema.get(_UNKNOWN_ALLOWED))
    return strict


def _trimmed(schema: dict[str, Any], examples: list[Any]) -> dict[str, Any]:
    """The part of a schema that the examples use."""
    kept = {key: schema[key] for key in _KEPT if key in schema}
    if "items" in schema:
        kept["items"] = _trimmed(schema["items"], [item for example in examples for item in example])
    if "properties" in schema:
        kept["properties"] = {}
        for name, inner in sorted(schema["properties"].items()):
            touched = [example[name] for example in examples if name in example]
            kept["properties"][name] = _trimmed(inner, touched) if touched else _type_of(inner)
    if "additionalProperties" in schema:
        kept["additionalProperties"] = schema["additionalProperties"]
    return kept


def _type_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("type", "anyOf") if key in schema}


def main() -> None:
    """Write the file again."""
    examples = objects()
    runtime = next(manifest for manifest in examples if manifest["kind"] == "ServingRuntime")
    examples.append({**runtime, "kind": "ClusterServingRuntime"})
    schemas = {}
    for crd in yaml.safe_load_all(Path(sys.argv[1]).read_text()):
        for version in crd["spec"]["versions"]:
            name = f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]
            ours = [manifest for manifest in examples if (manifest["apiVersion"], manifest["kind"]) == name]
            if ours:
                schemas[" ".join(name)] = _trimmed(version["schema"]["openAPIV3Schema"], ours)
    source = f"kserve/kserve, install/{VERSION}/kserve-crds.yaml, trimmed; Apache License 2.0, The KServe Authors"
    STORED.write_text(json.dumps({"source": source, "schemas": schemas}, indent=1) + "\n")


if __name__ == "__main__":
    main()
