"""Lays a model out as Triton Inference Server wants it: `python -m deploy.triton.layout MODEL REPOSITORY`.

REPOSITORY/NAME/config.pbtxt   what goes in and comes out, from the manifest
REPOSITORY/NAME/labels.txt     a label a line, for Triton's classification extension
REPOSITORY/NAME/1/model.onnx   the file as it is
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
    """A model that cannot be laid out, or a place that is taken."""


def lay_out(model: Path, repository: Path, *, name: str | None = None, max_batch_size: int = 1024) -> Path:
    """Write the model's folder into `repository` and return it. Raises ModelError for a file that may not serve."""
    classifier = Classifier.load(model)
    manifest = classifier.manifest
    name = name or manifest.name
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise LayoutError(f"--name={name}: it becomes a folder's: letters, digits, '_', '-' and '.'")
    if torn := [label for label in manifest.labels if "\n" in label or "\r" in label]:
        raise LayoutError(f"the label {torn[0]!r} has more than one line, and {_LABELS} has one a label")
    folder = repository / name
    if folder.exists():
        raise LayoutError(f"{folder} is there already: remove it, or choose another --name")
    repository.mkdir(parents=True, exist_ok=True)
    # A Triton that watches its repository sees all of it or nothing.
    with tempfile.TemporaryDirectory(dir=repository.parent) as beside:
        made = Path(beside) / name
        (made / "1").mkdir(parents=True)
        (made / "1" / "model.onnx").write_bytes(model.read_bytes())
        (made / _LABELS).write_text("".join(f"{label}\n" for label in manifest.labels), encoding="utf-8")
        (made / "config.pbtxt").write_text(config(manifest, classifier.version, name, max_batch_size))
        made.rename(folder)
    return folder


def config(manifest: Manifest, version: str, name: str, max_batch_size: int) -> str:
    """The text of `config.pbtxt`: Triton's `ModelConfig` as protobuf writes messages.

    Shapes are without the batch. What has one number an input is declared as `[1]` and reshaped, since Triton takes no
    empty shape.
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
            f'output {{ name: "{one}" data_type: TYPE_FP32 dims: [ 1 ] reshape {{ shape: [ ] }} }}'
            for one in ("confidence", "ood_score")
        ),
        "instance_group { kind: KIND_CPU }",
        "dynamic_batching { }",
        _parameter("intra_op_thread_count", "1"),
        # Whoever asks Triton for the model's configuration has the thresholds with it.
        _parameter("demur.version", version),
        _parameter("demur.abstention", json.dumps(manifest.abstention and manifest.abstention.model_dump(mode="json"))),
    ]
    return "".join(f"{entry}\n" for entry in entries)


def _parameter(key: str, value: str) -> str:
    return f"parameters {{ key: {_text(key)} value {{ string_value: {_text(value)} }} }}"


def _text(value: str) -> str:
    """A string in protobuf's text format: what is not plain ASCII by its bytes, in octal."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in value.encode())
    return f'"{"".join(plain)}"'


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.triton.layout", allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model.onnx")
    parser.add_argument("repository", metavar="REPOSITORY", type=Path, help="Triton's folder of models")
    parser.add_argument("--name", help="the model's in Triton; the file's own unless said")
    parser.add_argument("--max-batch-size", type=positive_int, default=1024, help="inputs in a request (%(default)s)")
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
