"""Valid seed inputs for each target: what a real client would send."""

import gzip
import io
import json
import zlib
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.targets import TARGETS


def seeds() -> dict[str, list[bytes]]:
    """The seeds by target."""
    png, jpeg = _file("PNG", "L"), _file("JPEG", "L")
    others = [_file(form, "RGB") for form in ("WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")]
    result = {
        "json_body": [_json(inputs=[[0, 255]], policy={"threshold": 0.5}, top_k=3), b'{"a": {"b": [1.5, null, true]}}'],
        "grey_images": [_json(inputs=[[0, 1, 2, 253, 254, 255]]), _json(inputs=[[[0, 1, 2], [3, 4, 5]], "AAECAwQF"])],
        "colour_images": [_json(inputs=[[0, 1, 2, 3, 4, 5]]), _json(inputs=[[[[0, 1, 2]], [[3, 4, 5]]]])],
        "table_rows": [_json(inputs=[{"age": 40, "sex": "m"}, [None, None]]), _json(inputs=[[-1.5e3, "x"]])],
        "embeddings": [_json(inputs=[[0.5, -3]]), _json(inputs=["AAAAAAAAgD8="])],
        "npy": [_npy(np.arange(12, dtype=np.uint8).reshape(2, 6)), _npy(np.ones((1, 2, 3), np.float32, order="F"))],
        "raw_rows": [np.array([[40, 1], [np.nan, -1]], "<f4").tobytes()],
        "multipart": [_form(png), _form(png, jpeg, b"")],
        "picture": [
            first + raw for first in (b"\x00", b"\x01", b"\x81") for raw in (png, jpeg, _file("PNG", "RGB"), *others)
        ],
        "infer": [_infer(data=[0, 1, 2, 3, 4, 255]), _binary(), bytes(2) + bytes(range(6))],
        "gzip_body": [b"\x00" + gzip.compress(b"abc" * 99, mtime=0), b"\x80" + zlib.compress(b"abc" * 99)],
    }
    assert result.keys() == TARGETS.keys()
    return result


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _file(form: str, mode: str) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (3, 2) if mode == "L" else (1, 2)).save(out, form)
    return out.getvalue()


def _npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def _form(*contents: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b.png"\r\nContent-Type: image/png\r\n\r\n'
    return b"boundary=x\n" + b"".join(head + content + b"\r\n" for content in contents) + b"--x--\r\n"


def _infer(**fields: Any) -> bytes:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 2, 3], **fields}
    return b"\xff\xff" + _json(inputs=[tensor], outputs=[{"name": "probabilities"}])


def _binary() -> bytes:
    head = _infer(parameters={"binary_data_size": 6})[2:]
    return len(head).to_bytes(2, "big") + head + bytes(range(6))
