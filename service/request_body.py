"""What the routes need of a request before anything is done with it: its body, counted, and the form that it has."""

from fastapi import Request

from service.errors import InvalidValue, TooLarge, UnsupportedType


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, refused where it is encoded, or as soon as it is known to be larger than `max_bytes`.

    Announced or counted: Starlette's own limit answers in plain text, so the counting is done here.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedType(f"content encoding {encoding[:80]} is not taken: send the body as it is")
    rule = f"at most {max_bytes} are taken"
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLarge(f"the body has {announced} bytes: {rule}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"the body has more than {max_bytes} bytes: {rule}")
    return bytes(body)


def media_type(request: Request) -> str:
    """The content type, without its parameters; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_repeated(request: Request) -> None:
    """Raise InvalidValue for an option that stands in the query string twice.

    The last of two would win, and a proxy that adds one would loosen a promise without a word.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(name[:80], " is given more than once in the query string")
