"""Lays out a model for Triton Inference Server: `python -m deploy.triton.layout MODEL REPOSITORY`.

REPOSITORY/NAME/config.pbtxt   inputs and outputs, from the manifest
REPOSITORY/NAME/labels.txt     one label per line, for Triton's classification extension
REPOSITORY/NAME/1/model.onnx   a copy of the file
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.contract.errors import DemurError
from service.contract.manifest import Manifest
from service.contract.option_values import positive_int
from service.http.open_inference.tensors import datatype_of
from service.inference.classifier import Classifier

_LABELS = "labels.txt"


class LayoutError(DemurError):
    """A model that cannot be laid out, or a folder that already exists."""


def lay_out(model: Path, repository: Path, *, name: str | None = None, max_batch_size: int = 1024) -> Path:
    """Write the model's folder into `repository` and return it. Raises ModelError for a file that may not serve."""
    classifier = Classifier.load(model)
    manifest = classifier.manifest
    name = name or manifest.name
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise LayoutError(f"--name={name}: it names a folder: use letters, digits, '_', '-' and '.'")
    if multiline := [label for label in manifest.labels if "\n" in label or "\r" in label]:
        raise LayoutError(f"the label {multiline[0]!r} has more than one line, and {_LABELS} has one per label")
    folder = repository / name
    if folder.exists():
        raise LayoutError(f"{folder} already exists: remove it, or choose another --name")
    repository.mkdir(parents=True, exist_ok=True)
    # Renamed into place: a Triton that watches its repository never sees a part of it.
    with tempfile.TemporaryDirectory(dir=repository.parent) as temporary:
        made = Path(temporary) / name
        (made / "1").mkdir(parents=True)
        (made / "1" / "model.onnx").write_bytes(model.read_bytes())
        (made / _LABELS).write_text("".join(f"{label}\n" for label in manifest.labels), encoding="utf-8")
        (made / "config.pbtxt").write_text(config(manifest, classifier.version, name, max_batch_size))
        made.rename(folder)
    return folder


def config(manifest: Manifest, version: str, name: str, max_batch_size: int) -> str:
    """The text of `config.pbtxt`: Triton's `ModelConfig` in protobuf's text format.

    Shapes are without the batch. Outputs with one number per input are declared as `[1]` and reshaped, since Triton
    allows no empty shape.
    """
    kind = manifest.input
    dims = ", ".join(str(size) for size in kind.row_shape)
    entries = [
        f"name: {_text(name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {max_batch_size}",
        f"input {{ name: {_text(kind.name)} data_type: TYPE_{datatype_of(kind.dtype)} dims: [ {dims} ] }}",
        f'output {{ name: "probabilities" data_type: TYPE_FP32 dims: [ {len(manifest.labels)} ]'
        f" label_filename: {_text(_LABELS)} }}",
        *(
            f'output {{ name: "{output}" data_type: TYPE_FP32 dims: [ 1 ] reshape {{ shape: [ ] }} }}'
            for output in ("confidence", "ood_score")
        ),
        "instance_group { kind: KIND_CPU }",
        "dynamic_batching { }",
        _parameter("intra_op_thread_count", "1"),
        # Clients get the thresholds with the model's configuration.
        _parameter("demur.version", version),
        _parameter("demur.abstention", json.dumps(manifest.abstention and manifest.abstention.model_dump(mode="json"))),
    ]
    return "".join(f"{entry}\n" for entry in entries)


def _parameter(key: str, value: str) -> str:
    return f"parameters {{ key: {_text(key)} value {{ string_value: {_text(value)} }} }}"


def _text(value: str) -> str:
    """A string in protobuf's text format; bytes that are not plain ASCII in octal."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in value.encode())
    return f'"{"".join(plain)}"'


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.triton.layout", allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model.onnx")
    parser.add_argument("repository", metavar="REPOSITORY", type=Path, help="Triton's model repository")
    parser.add_argument("--name", help="the model's name in Triton (default: the name in the file)")
    parser.add_argument("--max-batch-size", type=positive_int, default=1024, help="inputs per request (%(default)s)")
    options = parser.parse_args(words)
    try:
        folder = lay_out(options.model, options.repository, name=options.name, max_batch_size=options.max_batch_size)
    except (DemurError, OSError) as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
