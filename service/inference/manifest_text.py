"""Reads a manifest from its text in a model's file, within limits on memory."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from service.contract.errors import ModelError
from service.contract.manifest import SCHEMA_VERSION, Manifest

# A manifest of 100,000 classes has some 400,000 values, and a cost matrix of 2,000 classes has 4,000,000. Most of the
# text is real inputs.
MAX_MANIFEST_CHARACTERS = 128 * 1024 * 1024
MAX_MANIFEST_VALUES = 4_100_000
MAX_FIELDS = 256  # of one object: an unknown field makes an error of a kilobyte


def read_manifest(path: Path, text: str) -> Manifest:
    """The manifest in a file's metadata. Raises ModelError, naming `path`, if it is too large or invalid."""
    _check_size(path, text)
    manifest = _parsed(path, text)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has a manifest of schema version {version}; this service reads version {SCHEMA_VERSION}: "
            "train the model again with `demur fit`"
        )
    try:
        return Manifest.model_validate(manifest)  # with the text, each error would hold a copy of it
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ModelError(f"{path} has an invalid manifest: {field}: {first['msg']}") from None


def _check_size(path: Path, text: str) -> None:
    """Limit the memory of a manifest before it is parsed: a value of two bytes, such as `[]`, takes fifty."""
    if len(text) > MAX_MANIFEST_CHARACTERS:
        raise ModelError(f"{path} has a manifest of {len(text)} characters: at most {MAX_MANIFEST_CHARACTERS} are read")
    values = sum(text.count(mark) for mark in "[{,")  # an upper bound: each starts a value, or is in a string
    if values > MAX_MANIFEST_VALUES:
        raise ModelError(f"{path} has a manifest of {values} values: at most {MAX_MANIFEST_VALUES} are read")


def _parsed(path: Path, text: str) -> Any:
    """The manifest as JSON values. Raises ModelError for text that is not JSON, and for objects of many fields."""
    try:
        document = from_json(text)
    except ValueError as error:
        raise ModelError(f"{path} has an invalid manifest: the document: Invalid JSON: {error}") from None
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if len(value) > MAX_FIELDS:
                raise ModelError(f"{path} has a manifest with an object of {len(value)} fields: at most {MAX_FIELDS}")
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(item for item in value if isinstance(item, dict | list))
    return document
