"""Every bad input gets its own clear answer from a real server, which then answers the next good request."""

import base64
import gzip
import http.client
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.server import Server, serving
from tests.service.canon import assert_problem
from tests.service.pictures import announcing, blank

BLACK = [0] * 784
ROWS = [[0] * 28] * 28
PICTURE = (Path(__file__).parents[4] / "docs" / "ankle-boot.png").read_bytes()
MAX_BODY_BYTES = 2_000_000

JSON = "application/json"
RAW = "application/octet-stream"
PNG = "image/png"


@pytest.fixture(scope="module")
def server(trained_model: Path) -> Iterator[Server]:
    with serving(trained_model, DEMUR_MAX_BODY_BYTES=str(MAX_BODY_BYTES)) as server:
        yield server
        assert server.stop(signal.SIGTERM) == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """A client of the server, which must still answer a good request after the test."""
    with httpx2.Client(base_url=server.address, timeout=20) as client:
        yield client
    answer = httpx2.post(f"{server.address}/predict", content=PICTURE, headers={"content-type": PNG}, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "Ankle boot"


def _inputs(first: str, rest: int = 783) -> str:
    """A body with one flat image whose first pixel is the JSON text `first`."""
    return '{"inputs": [[' + first + ", 0" * rest + "]]}"


def _with(**fields: object) -> str:
    return json.dumps({"inputs": [BLACK], **fields})


MALFORMED = {
    "not JSON": ("{", "the body is not JSON"),
    "empty": ("", "the body is not JSON: it is empty"),
    "not UTF-8": (b'{"inputs": ["\xff"]}', "the body is not JSON: byte 13 is not UTF-8; JSON is in UTF-8"),
    "UTF-16": (_with().encode("utf-16"), "it is in UTF-16 or UTF-32; JSON is in UTF-8, whatever the content type"),
    "UTF-32 without a mark": (_with().encode("utf-32-be"), "it is in UTF-16 or UTF-32"),
    "a mark and nothing": (b"\xef\xbb\xbf", "the body is not JSON: it is empty"),
    "a NUL at the end": (_with() + "\0", "a NUL byte, which is no part of the text"),
    "an object on each line": (f"{_with()}\n{_with()}", "one object may hold several inputs"),
    "single quotes": ("{'inputs': []}", 'text stands in double quotes, "..."'),
    "Python's True": ('{"inputs": [], "resize": True}', "true, false and null are in lower case"),
    "a lone surrogate": ('{"inputs": ["\\ud800"]}', "the body is not JSON"),
    "lists nested 10,000 deep": ("[" * 10_000 + "]" * 10_000, "depth limit exceeded"),
    "objects nested 10,000 deep": ('{"a":' * 10_000 + "1" + "}" * 10_000, "depth limit exceeded"),
    "inputs nested 10,000 deep": ('{"inputs":' + "[" * 10_000 + "]" * 10_000 + "}", "depth limit exceeded"),
    "NaN": (_inputs("NaN"), "NaN and None are null in JSON"),
    "Infinity": (_inputs("-Infinity"), "Infinity is no number in JSON"),
    "an integer of 5,000 digits": (_inputs("1" * 5000), "number is infinity when parsed as double"),
    "1e999": (_inputs("1e999"), "number is infinity when parsed as double"),
    "threshold infinite": ('{"inputs": [], "policy": {"threshold": 1e999}}', "number is infinity"),
}


@pytest.mark.parametrize(("body", "fragment"), MALFORMED.values(), ids=MALFORMED)
def test_body_that_is_not_json(client: httpx2.Client, body: str | bytes, fragment: str) -> None:
    assert_problem(client.post("/predict", content=body, headers={"content-type": JSON}), 400, fragment)


_PIXEL = "a pixel is an integer from 0 to 255"
_IMAGE = "an image is 784 integers, or 28 rows of 28"
INVALID = {
    "null": ("null", "body is null: it must be an object"),
    "a list": ("[]", "body is a list of 0: it must be an object"),
    "a number": ("5", "body is 5: it must be an object"),
    "inputs missing": ("{}", "inputs is missing"),
    "inputs null": ('{"inputs": null}', "inputs is null: it must be a list, also for one: [...]"),
    "inputs a string": ('{"inputs": "x"}', 'inputs is "x": it must be a list, also for one: [...]'),
    "inputs an object": ('{"inputs": {}}', "inputs is an object: it must be a list"),
    "no inputs": ('{"inputs": []}', "inputs is empty: it must hold at least one image"),
    "an image that is a number": ('{"inputs": [5]}', "inputs[0] is 5: an image is 28 rows of 28 integers"),
    "an image that is null": ('{"inputs": [null]}', "inputs[0] is null"),
    "an image that is an object": ('{"inputs": [{}]}', "inputs[0] is an object"),
    "an object of an object": ('{"inputs": [{"image": {"b64": ""}}]}', 'or base64: "..." or {"b64": "..."}'),
    "one image by its pixels": (json.dumps({"inputs": BLACK}), "inputs is one input: it must be a list of inputs"),
    "one image by its rows": (json.dumps({"inputs": ROWS}), "inputs is one input: it must be a list of inputs"),
    "an empty image": ('{"inputs": [[]]}', f"inputs[0] has 0 numbers: {_IMAGE}"),
    "783 numbers": (_inputs("0", 782), f"inputs[0] has 783 numbers: {_IMAGE}"),
    "785 numbers": (_inputs("0", 784), "inputs[0] has 785 numbers"),
    "27 rows": (json.dumps({"inputs": [ROWS[1:]]}), "inputs[0] has 27 rows: an image has 28"),
    "a short row": (json.dumps({"inputs": [[*ROWS[1:], [0] * 27]]}), "inputs[0][27] has 27 numbers: a row has 28"),
    "a row that is a number": (json.dumps({"inputs": [[[0] * 28, 7, *ROWS[2:]]]}), "inputs[0][1] is 7: a row is 28"),
    "256": (_inputs("256"), f"inputs[0][0] is 256: {_PIXEL}"),
    "-1": (_inputs("-1"), f"inputs[0][0] is -1: {_PIXEL}"),
    "1.5": (_inputs("1.5"), f"inputs[0][0] is 1.5: {_PIXEL}"),
    "1.0": (_inputs("1.0"), f"inputs[0][0] is 1.0: {_PIXEL}"),
    "a hundred digits": (_inputs("1" * 100), "inputs[0][0] is 1.1"),
    "a null pixel": (_inputs("null"), f"inputs[0][0] is null: {_PIXEL}"),
    "a string": (_inputs('"7"'), f'inputs[0][0] is "7": {_PIXEL}'),
    "true": (_inputs("true"), f"inputs[0][0] is true: {_PIXEL}"),
    "a list among pixels": (json.dumps({"inputs": [[0, [0], *BLACK[2:]]]}), "inputs[0][1] is a list of 1"),
    "a pixel deep inside": (json.dumps({"inputs": [BLACK, [*ROWS[1:], [*[0] * 27, 300]]]}), "inputs[1][27][27] is 300"),
    "not base64": ('{"inputs": ["@@"]}', 'inputs[0] is not base64: it holds "@" at index 0'),
    "base64 beyond ASCII": ('{"inputs": ["AA\u0410A"]}', 'it holds "\\u0410" at index 2'),
    "base64 with spaces": ('{"inputs": ["AA A"]}', 'it holds " " at index 2, which may be a + that was decoded'),
    "base64 after base64": ('{"inputs": ["AA==AAAA"]}', 'it holds "=" at index 2'),
    "base64 that was cut": ('{"inputs": ["data:;base64,AAAAA"]}', "its 5 characters are one too many"),
    "a URI without base64": ('{"inputs": ["data:image/png,AAAA"]}', 'it holds ":" at index 4'),
    "base64 of three bytes": (
        '{"inputs": ["AAAA"]}',
        "inputs[0] holds 3 bytes: it must be a picture file (PNG, JPEG, WebP",
    ),
    "top_k 0": (_with(top_k=0), "top_k=0 is out of range: 1 to 10"),
    "top_k 11": (_with(top_k=11), "top_k=11 is out of range: 1 to 10"),
    "top_k -1": (_with(top_k=-1), "top_k=-1 is out of range: 1 to 10"),
    "top_k a string": (_with(top_k="3"), 'top_k="3": input should be a valid integer'),
    "top_k 1.5": (_with(top_k=1.5), "top_k=1.5: input should be a valid integer"),
    "top_k true": (_with(top_k=True), "top_k=true: input should be a valid integer"),
    "threshold 2": (_with(policy={"threshold": 2}), "policy.threshold=2: input should be less than or equal to 1"),
    "threshold -0.1": (_with(policy={"threshold": -0.1}), "policy.threshold=-0.1: input should be greater than"),
    "threshold a string": (
        _with(policy={"threshold": "0.5"}),
        'policy.threshold="0.5": input should be a valid number',
    ),
    "inputs twice": ('{"inputs": [], "inputs": [[0]]}', "inputs is given more than once in one object of the body"),
    "inputs twice, once escaped": ('{"inputs": [], "\\u0069nputs": [[0]]}', "inputs is given more than once"),
    "two policies in turn": (
        _with(policy={"selective_risk": 0.01})[:-1] + ', "policy": {"never_abstain": true}}',
        "policy is given more than once in one object of the body",
    ),
    "a threshold twice": (
        _with(policy={"threshold": 0.9})[:-2] + ', "threshold": 0.1}}',
        "threshold is given more than once in one object of the body",
    ),
    "no policy in policy": (_with(policy={}), "a policy is exactly one of threshold, selective_risk, reject_cost"),
    "two policies": (_with(policy={"threshold": 0.5, "never_abstain": True}), "exactly one of"),
    "never_abstain false": (_with(policy={"never_abstain": False}), "policy.never_abstain=false: input should be True"),
    "a risk without certificate": (
        _with(policy={"selective_risk": 0.04}),
        "policy.selective_risk=0.04 is not certified by this model; certified: 0.01",
    ),
    "a cost without certificate": (
        _with(policy={"reject_cost": 0.3}),
        "reject_cost=0.3 is not certified by this model; certified: 0.05, 0.1, 0.2",
    ),
    "a coverage without certificate": (_with(set_coverage=0.8), "set_coverage=0.8 is not certified by this model"),
    "a coverage of one": (_with(set_coverage=1.0), "set_coverage=1.0: input should be less than 1"),
    "an unknown method": (_with(set_method="aps"), "set_method=\"aps\": input should be 'by_decision', 'lac' or"),
    "an unknown policy": (_with(policy={"entropy": 1}), "policy.entropy: no such field"),
    "an unknown field": (_with(topk=3), "topk: no such field"),
    "a policy beside the inputs": (_with(threshold=0.5), '"policy": {"threshold": ...}'),
    "a field of 10,000 letters": (_with(**{"x" * 10_000: 1}), "xxx...: no such field"),
    "resize a string": (_with(resize="yes"), 'resize="yes": input should be a valid boolean'),
}


@pytest.mark.parametrize(("body", "fragment"), INVALID.values(), ids=INVALID)
def test_json_that_breaks_a_rule(client: httpx2.Client, body: str, fragment: str) -> None:
    problem = assert_problem(client.post("/predict", content=body, headers={"content-type": JSON}), 422, fragment)
    assert problem["errors"]
    assert len(problem["detail"]) < 500


def test_colons_in_strings_do_not_count_as_keys(client: httpx2.Client) -> None:
    answer = client.post("/predict", content='{"inputs": ["a:b"], "top_k": 1}', headers={"content-type": JSON})
    assert_problem(answer, 422, "inputs[0] is not base64")


PICTURES = {
    "empty": (b"", 400, "body was declared as PNG but is empty"),
    "a text": (b"text", 400, "body was declared as PNG but is none of PNG, JPEG, WebP"),
    "a GIF": (blank(kind="GIF"), 400, "body was declared as PNG but is GIF: send it as image/gif"),
    "a JPEG": (blank(kind="JPEG"), 400, "body was declared as PNG but is JPEG"),
    "half a PNG": (PICTURE[: len(PICTURE) // 2], 400, "body is not a readable PNG"),
    "only the signature": (PICTURE[:8], 400, "body is not a readable PNG"),
    "30x30": (blank(size=(30, 30)), 422, "30x30 pixels, mode L: it must be 28x28 grey (mode L), or sent with resize"),
    "in colour": (blank("RGB"), 422, "28x28 pixels, mode RGB: it must be 28x28 grey"),
    "8,000x8,000": (announcing(8000, 8000), 413, "8000x8000 pixels: at most 50000000 are allowed"),
    "100,000x100,000": (announcing(100_000, 100_000), 413, "far too many pixels: at most 50000000"),
}


@pytest.mark.parametrize(("body", "status", "fragment"), PICTURES.values(), ids=PICTURES)
def test_unusable_picture(client: httpx2.Client, body: bytes, status: int, fragment: str) -> None:
    assert_problem(client.post("/predict", content=body, headers={"content-type": PNG}), status, fragment)


@pytest.mark.parametrize("size", [(8000, 8000), (100_000, 100_000)])
def test_too_many_pixels_are_refused_in_base64_and_for_resizing_too(
    client: httpx2.Client, size: tuple[int, int]
) -> None:
    body = _with(inputs=[base64.b64encode(announcing(*size)).decode()], resize=True)
    assert_problem(client.post("/predict", content=body, headers={"content-type": JSON}), 413, "inputs[0]", "pixels")


@pytest.mark.parametrize("count", [0, 783, 785])
def test_raw_bytes_of_an_incomplete_image(client: httpx2.Client, count: int) -> None:
    answer = client.post("/predict", content=bytes(count), headers={"content-type": RAW})
    assert_problem(answer, 422, f"body has {count} bytes: it must hold whole images of 784 bytes each")


@pytest.mark.parametrize("kind", [RAW, JSON])
def test_more_images_than_the_limit(client: httpx2.Client, kind: str) -> None:
    body = bytes(784 * 1025) if kind == RAW else json.dumps({"inputs": [""] * 1025}).encode()
    answer = client.post("/predict", content=body, headers={"content-type": kind})
    assert_problem(answer, 413, "holds 1025 images: at most 1024 are allowed in one request")


QUERIES = {
    "top_k=0": "top_k=0 is out of range: 1 to 10",
    "top_k=11": "top_k=11 is out of range: 1 to 10",
    "top_k=x": 'top_k="x": input should be a valid integer',
    "threshold=2": 'threshold="2": input should be less than or equal to 1',
    "threshold=nan": 'threshold="nan"',
    "never_abstain=false": "policy.never_abstain=false: input should be True",
    "threshold=0.5&never_abstain=true": "query string holds threshold, never_abstain: a policy is exactly one of",
    "selective_risk=0.05&selective_risk=0.1": "selective_risk is given more than once in the query string",
    "top_k=1&top_k=1": "top_k is given more than once in the query string",
    "selective_risk=0.04": "selective_risk=0.04 is not certified",
    "set_coverage=0.8": "set_coverage=0.8 is not certified by this model; certified: by_decision 0.95, 0.9, 0.99; "
    "lac 0.95, 0.9, 0.99; lac_class_conditional 0.95, 0.9, 0.99",
    "topk=3": "topk: no such field",
}


@pytest.mark.parametrize(("query", "fragment"), QUERIES.items(), ids=QUERIES)
def test_query_that_breaks_a_rule(client: httpx2.Client, query: str, fragment: str) -> None:
    answer = client.post(f"/predict?{query}", content=PICTURE, headers={"content-type": PNG})
    assert_problem(answer, 422, fragment)


def test_options_in_the_query_beside_a_json_body(client: httpx2.Client) -> None:
    answer = client.post("/predict?top_k=3", content=_with(), headers={"content-type": JSON})
    assert_problem(answer, 422, "with a JSON body the options belong in the body")


@pytest.mark.parametrize("kind", ["text/plain", "image/heic", "application/x-www-form-urlencoded", "nonsense"])
def test_unknown_content_type(client: httpx2.Client, kind: str) -> None:
    answer = client.post("/predict", content=PICTURE, headers={"content-type": kind})
    assert_problem(answer, 415, f"content type {kind} is not supported", "application/json, image/png, image/jpeg")


def test_no_content_type(client: httpx2.Client) -> None:
    assert_problem(client.post("/predict", content=PICTURE), 415, "a body without a content type is not supported")


def test_content_encoding(client: httpx2.Client) -> None:
    packed = {"content-type": PNG, "content-encoding": "gzip"}
    answer = client.post("/predict", content=gzip.compress(PICTURE), headers=packed)
    assert_problem(answer, 415, "content encoding gzip is not supported")
    as_it_is = {"content-type": PNG, "content-encoding": "Identity"}
    assert client.post("/predict", content=PICTURE, headers=as_it_is).status_code == 200


def test_body_over_the_limit_is_refused_by_its_announced_length(server: Server, client: httpx2.Client) -> None:
    answer = client.post("/predict", content=bytes(MAX_BODY_BYTES + 1), headers={"content-type": RAW})
    assert_problem(answer, 413, f"the body has {MAX_BODY_BYTES + 1} bytes: at most {MAX_BODY_BYTES} are allowed")
    assert answer.headers["connection"] == "close"
    # Before any byte of the body has arrived:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_body_over_the_limit_is_refused_without_an_announced_length(client: httpx2.Client) -> None:
    chunks = (bytes(100_000) for _ in range(MAX_BODY_BYTES // 100_000 + 1))
    answer = client.post("/predict", content=chunks, headers={"content-type": RAW})
    assert_problem(answer, 413, f"the body has more than {MAX_BODY_BYTES} bytes")


def test_bad_form_logs_no_warning(server: Server, client: httpx2.Client) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.post("/predict", content=b"--x\r\nA\xff: b\r\n\r\n", headers=headers)
    assert_problem(answer, 400, "Found invalid character 255 in header")
    assert not [line for line in server.log() if "python_multipart" in line]  # it would be written before the answer


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("POST", "/model", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
        ("OPTIONS", "/feedback", "GET, HEAD, POST"),
        ("PUT", "/", "GET, HEAD"),
        ("PUT", "/openapi.json", "GET, HEAD"),
    ],
)
def test_wrong_method(client: httpx2.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert_problem(answer, 405, f"{method} is not allowed on {path}: use {allowed}")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/predict/", "/predict"),
        ("//predict", "/predict"),
        ("/./v2//models/x/infer", "/v2/models/x/infer"),
    ],
)
def test_path_with_slashes_or_dots_too_many(server: Server, path: str, meant: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("POST", path)
        answer = connection.getresponse()
        assert (answer.status, f"does not exist: use {meant}" in answer.read().decode()) == (404, True)


@pytest.mark.parametrize("path", ["/page", "/nothing/", "/nothing", "/%00", "/" + "x" * 5000])
def test_unknown_path(client: httpx2.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "does not exist")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nonly this",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=["no HTTP", "a body cut short", "a broken chunk", "a negative length"],
)
@pytest.mark.usefixtures("client")
def test_connection_that_breaks_the_protocol_affects_no_other(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
