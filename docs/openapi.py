"""Writes the description of the API as docs/openapi.json keeps it: `python docs/openapi.py build/model.onnx`.

The model's version is left out, since each machine's training gives the file another.
"""

import json
import sys
from pathlib import Path

from service.app import create_app
from service.settings import Settings


def description(model: Path) -> str:
    """The description of a service with that model alone, as JSON text."""
    app = create_app(Settings(model_path=model))
    found = app.openapi()
    version = app.state.registry.models.get(None).ref.version
    return json.dumps(found, indent=1, ensure_ascii=False).replace(f" {version}", "") + "\n"


if __name__ == "__main__":
    sys.stdout.write(description(Path(sys.argv[1])))
