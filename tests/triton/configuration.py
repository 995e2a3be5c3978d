"""Prints a `config.pbtxt` as JSON, read by Triton's own `model_config.proto`: `python configuration.py CONFIG`.

Runs in the clients' environment, where tritonclient provides it.
"""

import sys
from pathlib import Path


def read(path: Path) -> str:
    """The message as JSON. Raises ParseError for an invalid text."""
    from google.protobuf import json_format, text_format
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    message = text_format.Parse(path.read_text(), ModelConfig())
    text: str = json_format.MessageToJson(message, preserving_proto_field_name=True)
    return text


if __name__ == "__main__":
    sys.stdout.write(read(Path(sys.argv[1])))
