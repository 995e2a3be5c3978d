"""The files of a `multipart/form-data` body, as `curl -F` and a browser's form send them.

The body is already in memory, within its limit; nothing is written to disk. Text fields are refused, since the options
of a form belong in the query string.
"""

from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.contract.errors import InvalidValue, MalformedBody, TooLarge, UnsupportedType

MULTIPART = "multipart/form-data"
_BOUNDARY = ";boundary="
_MAX_HEADERS = 8  # of a part: clients send two or three
_MAX_HEADER_BYTES = 4096
_MAX_SHOWN = 40  # characters of a client's name in a message


class File(NamedTuple):
    """One file of a form: its name in messages, and its bytes."""

    field: str
    content: bytes


def with_boundary(content_type: str) -> str:
    """The content type of a form, normalised, with the boundary that reading the body needs.

    >>> with_boundary('multipart/form-data; charset=utf-8; boundary="a b"')
    'multipart/form-data;boundary=a b'
    """
    _, parameters = parse_options_header(content_type)
    return f"{MULTIPART}{_BOUNDARY}{parameters.get(b'boundary', b'').decode('latin-1')}"


def without_boundary(media_type: str) -> str:
    """The content type without the boundary; other types are unchanged."""
    return media_type.partition(_BOUNDARY)[0]


def files(body: bytes, media_type: str, max_files: int) -> list[File]:
    """The files of a body in order, regardless of their field names; `media_type` comes from `with_boundary`.

    >>> body = b'--x\\r\\nContent-Disposition: form-data; name="a"; filename="b.png"\\r\\n\\r\\n123\\r\\n--x--\\r\\n'
    >>> files(body, "multipart/form-data;boundary=x", max_files=4)
    [File(field='file[0] b.png', content=b'123')]

    Raises MalformedBody, InvalidValue for a text field or for no files, UnsupportedType for an encoded file, and
    TooLarge as soon as there are more than `max_files`.
    """
    boundary = media_type.partition(_BOUNDARY)[2]
    if not boundary:
        raise MalformedBody(f"the content type {MULTIPART} has no boundary: let the client's own form set the header")
    _check_first_line(body, boundary)
    parts = _Parts(max_files)
    try:
        # The parser limits the boundary to 256 bytes.
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.end_header,
                "on_headers_finished": parts.end_headers,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_end": parts.end_all,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )
        parser.write(body)
    except FormParserError as error:
        raise MalformedBody(f"the body is not {MULTIPART}: {error}") from None
    if not parts.ended:
        raise MalformedBody(f"the body is not {MULTIPART}: it ends before its last boundary")
    if not parts.files:
        raise InvalidValue("body", " holds no file: it must hold at least one image")
    return parts.files


def _check_first_line(body: bytes, boundary: str) -> None:
    """Refuse what the parser would only call a wrong character."""
    first = f"--{boundary}".encode("latin-1")
    start = body[: len(first) + 5].lstrip(b"\r\n")
    if not body:
        cause = "it is empty"
    elif not start.startswith(first):
        cause = f"it does not begin with {printable(first)}, by the boundary in its content type"
    elif start[len(first) :].startswith(b"\n"):
        cause = "its lines end in LF, and must end in CR LF"
    else:
        return
    raise MalformedBody(f"the body is not {MULTIPART}: {cause}")


class _Parts:
    """The parser's callbacks, which collect the parts."""

    def __init__(self, max_files: int) -> None:
        self.files: list[File] = []
        self.ended = False
        self._max_files = max_files
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._field = ""
        self._pieces: list[bytes] = []

    def begin(self) -> None:
        if len(self.files) == self._max_files:
            raise TooLarge(f"body holds more than {self._max_files} images, which is the limit of one request")
        self._headers = {}
        self._pieces = []

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def end_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, parameters = parse_options_header(disposition)
        name = printable(parameters.get(b"name", b""))
        # Some clients name a file in the extended form alone, or name its type alone.
        if b"filename" not in parameters and b"filename*=" not in disposition and not self._has_type_of_file():
            rule = " is not a file: a form holds only files; the options belong in the query string"
            rule += ", and the part of a file has a filename"
            raise InvalidValue(name, rule) if name else InvalidValue("body", f": a part without a name{rule}")
        self._field = f"file[{len(self.files)}] {printable(parameters.get(b'filename', b''))}".rstrip()

    def _has_type_of_file(self) -> bool:
        declared = self._headers.get(b"content-type", b"").strip().lower()
        return declared.startswith((b"image/", b"application/octet-stream"))

    def data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def end(self) -> None:
        content = b"".join(self._pieces)
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if encoding in (b"base64", b"quoted-printable") and content.isascii():  # some clients only say so
            raise UnsupportedType(f"{self._field} is encoded in {encoding.decode()}: send the file's own bytes")
        self.files.append(File(self._field, content))

    def end_all(self) -> None:
        self.ended = True


def printable(name: bytes) -> str:
    """A client's name, fit for a message: unprintable characters become question marks.

    >>> printable("schön\\n.jpg".encode()), printable(b"x" * 1000) == "x" * 37 + "..."
    ('schön?.jpg', True)
    """
    text = "".join(c if c.isprintable() and c != "\ufffd" else "?" for c in name.decode("utf-8", "replace"))
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
