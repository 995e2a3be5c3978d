"""Bad requests: the fuzzer's stored inputs made invalid, and bytes that are not HTTP."""

import random

from tests.fuzz.corpus import kept

_FORMS = {
    "json_body": "application/json",
    "grey_images": "application/json",
    "npy": "application/x-npy",
    "picture": "image/png",
    "multipart": "multipart/form-data; boundary=x",
}
_GOOD = b'{"inputs": [[[0, 255]], [255, 0]], "probabilities": true}'  # of tests/tiny.py's model


def bodies(count: int, model: str, draw: random.Random) -> list[tuple[str, bytes, dict[str, str]]]:
    """Paths, bodies and headers: two thirds for `/predict`, the others for the Open Inference Protocol."""
    kinds = [(form, data) for name, form in _FORMS.items() for data in kept(name)]
    tensors = kept("infer")
    result = []
    for i in range(count):
        if i % 3 < 2:
            form, data = draw.choice(kinds)
            result.append(("/predict", b"\x00" + data, {"content-type": form}))
        else:
            length = str(draw.choice([draw.randrange(1, 2000), -1, 10**30]))
            headers = {"inference-header-content-length": length}
            result.append((f"/v2/models/{model}/infer", b"\x00" + draw.choice(tensors), headers))
    return result


def streams(count: int, draw: random.Random) -> list[bytes]:
    """Valid requests, truncated or with changed bytes, and random bytes. Some may still be valid."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    request = head % (len(_GOOD), _GOOD)
    result = []
    for _ in range(count):
        raw = bytearray(draw.choice([request[: draw.randrange(len(request))], draw.randbytes(200)]))
        for _ in range(draw.randrange(4)):
            if raw:
                raw[draw.randrange(len(raw))] = draw.randrange(256)
        result.append(bytes(raw))
    return result
