"""Forms of picture files: reading, refusals and limits."""

from contextlib import suppress

import pytest

from service.contract.errors import InvalidValue, MalformedBody, RequestError, TooLarge, UnsupportedType
from service.inference.readers.multipart import files, with_boundary

TYPE = "multipart/form-data;boundary=edge"


def _part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.png"', *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    return b"--edge\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def _form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--edge--\r\n"


def test_files_keep_their_order_under_any_field_names() -> None:
    content = bytes(range(256)) + b"\r\n--edg\r\n--"  # almost a boundary
    body = _form(
        _part(content, 'form-data; name="x"; filename="one.png"', "Content-Type: text/plain"),
        _part(b"", 'form-data; name=""; filename=""'),
        _part(b"2", 'form-data; filename="dos\\"quote.jpg"'),
    )
    assert files(body, TYPE, max_files=3) == [
        ("file[0] one.png", content),
        ("file[1]", b""),
        ('file[2] dos"quote.jpg', b"2"),
    ]


def test_names_are_bounded_and_made_printable() -> None:
    name = "\x1b[31mänd\u202e" + "y" * 200
    ((field, _),) = files(_form(_part(b"", f'form-data; name="f"; filename="{name}"')), TYPE, max_files=1)
    assert field.startswith("file[0] ?[31mänd?yyy")
    assert field.endswith("y...")
    assert len(field) == len("file[0] ") + 40
    assert field.isprintable()


def test_parsing_stops_at_the_limit() -> None:
    with pytest.raises(TooLarge, match="body holds more than 2 images, which is the limit of one request"):
        files(_form(*[_part(b"1")] * 2, b"--edge\r\nbroken"), TYPE, max_files=2)


@pytest.mark.parametrize(
    "headers",
    [
        ('form-data; name="file"; filename=""',),
        ("form-data; name=file; filename=a.png",),
        ('form-data; filename="a;b.png"; name="file"',),
        ('form-data; name="file"; filename="a%22b.png"',),
        ('form-data; name="file"; filename="C:\\temp\\a.png"',),
        ("form-data; name=\"file\"; filename*=UTF-8''%e2%82%ac.png",),
        ('form-data; name="file"', "Content-Type: image/png"),
        ('form-data; name="file"', "content-type:application/octet-stream"),
        ('attachment; filename="a.png"', "Content-Transfer-Encoding: binary"),
        ('form-data; name="file"; filename="a.png"', "Content-Transfer-Encoding: base64"),  # as it is not
    ],
)
def test_part_that_is_a_file(headers: tuple[str, ...]) -> None:
    ((field, content),) = files(_form(_part(b"\x89PNG", *headers)), TYPE, max_files=1)
    assert field.startswith("file[0]")
    assert content == b"\x89PNG"


def test_encoded_file_is_refused() -> None:
    part = _part(b"iVBORw0KGgo=", 'form-data; filename="a.png"', "Content-Transfer-Encoding: Base64")
    with pytest.raises(UnsupportedType, match=r"file\[0\] a.png is encoded in base64: send the file's own bytes"):
        files(_form(part), TYPE, max_files=1)


@pytest.mark.parametrize(
    ("disposition", "message"),
    [
        ('form-data; name="resize"', "resize is not a file: a form holds only files; the options belong in the query"),
        ("form-data", "body: a part without a name is not a file"),
        ("", "body: a part without a name is not a file"),
    ],
)
def test_text_field_is_refused_by_name(disposition: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        files(_form(_part(b"true", disposition)), TYPE, max_files=4)


@pytest.mark.parametrize(
    ("body", "media_type", "cause"),
    [
        (_form(_part(b"1")), "multipart/form-data;boundary=", "has no boundary: let the client's own form set"),
        (_form(_part(b"1")), "multipart/form-data;boundary=other", "it does not begin with --other"),
        (b"preamble\r\n" + _form(_part(b"1")), TYPE, "it does not begin with --edge"),
        (_form(_part(b"1")).replace(b"\r\n", b"\n"), TYPE, "its lines end in LF"),
        (b"--" + b"e" * 1000, "multipart/form-data;boundary=" + "e" * 1000, "the body is not multipart"),
        (_part(b"1"), TYPE, "it ends before its last boundary"),
        (b"", TYPE, "it is empty"),
        (b"--edge", TYPE, "it ends before its last boundary"),
        (_form(_part(b"1", "form-data", *["X: y"] * 8)), TYPE, "the body is not multipart"),
        (_form(_part(b"1", "form-data", "X: " + "y" * 5000)), TYPE, "the body is not multipart"),
        (_form(b"--edge\r\n\0: x\r\n\r\n1\r\n"), TYPE, "the body is not multipart"),
    ],
    ids=["none", "other", "before", "LF", "long", "no end", "empty", "begun", "many headers", "long header", "control"],
)
def test_invalid_form_is_refused(body: bytes, media_type: str, cause: str) -> None:
    with pytest.raises(MalformedBody, match=cause):
        files(body, media_type, max_files=4)


def test_form_without_a_file_is_refused() -> None:
    with pytest.raises(InvalidValue, match="body holds no file"):
        files(_form(), TYPE, max_files=4)


@pytest.mark.parametrize("position", range(0, 80, 3))
def test_a_changed_byte_is_refused_or_read(position: int) -> None:
    body = _form(_part(b"123"))
    changed = body[:position] + bytes([body[position] ^ 0x2A]) + body[position + 1 :]
    with suppress(RequestError):
        assert len(files(changed, TYPE, max_files=4)) == 1


def test_boundary_is_kept_unchanged() -> None:
    assert with_boundary("Multipart/Form-Data; Boundary=AbC") == "multipart/form-data;boundary=AbC"
