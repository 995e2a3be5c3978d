"""Every form of picture in a request, and the pixels that the model gets."""

import asyncio
import base64
import io
import struct
import zlib
from contextlib import suppress
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.contract.errors import InvalidValue, MalformedBody, RequestError, TooLarge, UnsupportedType
from service.contract.inputs import ImageInput
from service.inference.readers.images import ImageReader
from service.inference.readers.limits import NeedsThread
from service.inference.readers.picture_formats import FORMATS, Format
from service.inference.readers.picture_options import PictureOptions
from tests.service.arrays import npy
from tests.service.pictures import blank, chunk, encoded

READER = ImageReader(ImageInput(height=28, width=28), max_batch_size=4, max_image_pixels=1_000_000)
RESIZING = READER.with_options(PictureOptions(resize=True))
PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
PNG = encoded(Image.fromarray(PIXELS))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "value",
    [PIXELS.tolist(), PIXELS.ravel().tolist(), _base64(PNG), _base64(PIXELS.tobytes())],
    ids=["rows", "flat", "base64 of a PNG", "base64 of the bytes"],
)
def test_json_forms_give_the_same_pixels(value: object) -> None:
    result = READER.from_json([value, value])
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, [PIXELS, PIXELS])


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 784)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_array_gives_the_same_pixels(shape: tuple[int, ...], order: Literal["C", "F"]) -> None:
    images = np.stack([PIXELS, PIXELS.T, PIXELS[::-1]])
    result = READER.from_npy(npy(np.asarray(images.reshape(shape), order=order)))
    np.testing.assert_array_equal(result, images)
    assert result.flags.c_contiguous


def test_raw_bytes_and_png_give_the_same_pixels() -> None:
    np.testing.assert_array_equal(READER.from_bytes(PIXELS.tobytes() * 3), [PIXELS] * 3)
    np.testing.assert_array_equal(READER.from_body(PNG, "image/png"), [PIXELS])


def test_jpeg_is_accepted() -> None:
    smooth = np.tile(np.arange(0, 252, 9, dtype=np.uint8), (28, 1))
    jpeg = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    for result in (
        READER.from_body(jpeg, "image/jpeg"),
        READER.from_json([_base64(jpeg)]),
    ):
        assert np.abs(result[0].astype(int) - smooth).max() <= 4


def test_every_pixel_value_passes() -> None:
    values = np.resize(np.arange(256, dtype=np.uint8), 784)
    np.testing.assert_array_equal(READER.from_json([values.tolist()]).ravel(), values)


@pytest.mark.parametrize("count", [5, 100])
def test_batch_over_the_limit(count: int) -> None:
    rule = f"holds {count} images: at most 4 are allowed"
    with pytest.raises(TooLarge, match=f"inputs {rule}"):
        READER.from_json([PIXELS.tolist()] * count)
    with pytest.raises(TooLarge, match=f"body {rule}"):
        READER.from_bytes(bytes(784 * count))
    with pytest.raises(TooLarge, match=f"body {rule}"):
        READER.from_npy(npy(np.zeros((count, 28, 28), np.uint8)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "I;16"])
def test_other_modes_are_refused_without_resize(mode: str) -> None:
    with pytest.raises(InvalidValue, match=rf"mode {mode}: it must be 28x28 grey \(mode L\)"):
        READER.from_body(blank(mode), "image/png")


@pytest.mark.parametrize("size", [(27, 28), (28, 27), (56, 56), (1, 1)])
def test_other_sizes_are_refused_without_resize(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidValue, match=f"image of {size[0]}x{size[1]} pixels"):
        READER.from_body(blank(size=size), "image/png")


def test_resize_keeps_a_picture_of_the_right_form() -> None:
    np.testing.assert_array_equal(RESIZING.from_body(PNG, "image/png"), [PIXELS])


@pytest.mark.parametrize(
    ("mode", "colour", "level"),
    [
        ("RGB", (255, 255, 255), 255),
        ("RGB", (255, 0, 0), 76),  # ITU-R 601: 0.299 of full red
        ("RGBA", (255, 255, 255, 0), 0),  # transparent: the black behind it shows
        ("RGBA", (255, 255, 255, 255), 255),
        ("LA", (200, 255), 200),
        ("1", 1, 255),
        ("L", 130, 130),
    ],
)
def test_resize_converts_to_grey_on_black(mode: str, colour: int | tuple[int, ...], level: int) -> None:
    picture = encoded(Image.new(mode, (40, 40), colour))
    assert set(np.unique(RESIZING.from_body(picture, "image/png"))) == {level}


def test_resize_converts_a_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (28, 28), 1)
    image.putpalette([255, 255, 255, 10, 20, 30])
    assert RESIZING.from_body(encoded(image, transparency=1), "image/png").max() == 0


def test_resize_fits_and_centres_on_black() -> None:
    wide = RESIZING.from_body(encoded(Image.new("L", (100, 50), 255)), "image/png")[0]
    assert wide[:7].max() == wide[-7:].max() == 0
    assert wide[7:21].min() == 255


def test_resize_turns_a_photograph_upright() -> None:
    image = Image.new("L", (56, 28))
    image.paste(255, (0, 0, 28, 28))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left becomes top
    result = RESIZING.from_body(encoded(image, "JPEG", exif=exif, quality=100), "image/jpeg")[0]
    assert result[2:12, 8:20].min() > 250
    assert result[16:26, 8:20].max() < 5


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_the_pixels_that_pillow_reads(each: Format, mode: str) -> None:
    raw = encoded(Image.fromarray(PIXELS).resize((30, 30)).resize((28, 28)).convert(mode), each.name)
    expected = np.asarray(Image.open(io.BytesIO(raw)).convert("L"))
    for result in (
        RESIZING.from_body(raw, each.media_type),
        RESIZING.from_json([_base64(raw)]),
        RESIZING.from_columns({"x": np.array([raw], object)}),
    ):
        np.testing.assert_array_equal(result, [expected])


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP"])
def test_first_of_several_pictures_is_read(form: str) -> None:
    first, second = Image.new("RGB", (28, 28), (40, 40, 40)), Image.new("RGB", (28, 28), (200, 200, 200))
    raw = encoded(first, form, save_all=True, append_images=[second])
    assert np.abs(RESIZING.from_body(raw, f"image/{form.lower()}").astype(int) - 40).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_16_bits_of_grey_are_divided_by_257(form: str) -> None:
    wide = np.resize(np.array([0, 128, 129, 4095, 32896, 65535], np.uint16), (28, 28))
    raw = encoded(Image.fromarray(wide), form)
    media_type = next(each.media_type for each in FORMATS if each.name == form)
    np.testing.assert_array_equal(RESIZING.from_body(raw, media_type), [np.resize([0, 0, 1, 16, 128, 255], (28, 28))])


def test_transparent_level_of_16_bits_is_background() -> None:
    raw = encoded(Image.fromarray(np.full((28, 28), 65535, np.uint16)), transparency=65535)
    assert RESIZING.from_body(raw, "image/png").max() == 0


@pytest.mark.parametrize(
    ("pixels", "rule"),
    [
        (np.full((4, 4), 0.5, np.float32), "mode F: 8 bits a channel are supported, and 16 bits of grey"),
        (np.full((4, 4), 65536, np.int32), "whole numbers outside 0 to 65535"),
        (np.full((4, 4), -1, np.int32), "whole numbers outside 0 to 65535"),
    ],
)
def test_pixels_without_a_rule_are_refused(pixels: NDArray[Any], rule: str) -> None:
    with pytest.raises(UnsupportedType, match=f"body is an image of {rule}"):
        RESIZING.from_body(encoded(Image.fromarray(pixels), "TIFF"), "image/tiff")


def test_raw_pixels_that_begin_like_a_bmp_are_pixels() -> None:
    raw = b"BM" + bytes([77, 42] * 391)
    assert READER.from_json([_base64(raw)]).tobytes() == raw


@pytest.mark.parametrize("length", range(0, len(PNG), 61))
def test_png_truncated_anywhere(length: int) -> None:
    with pytest.raises(RequestError):
        READER.from_body(PNG[:length], "image/png")


@pytest.mark.parametrize("position", range(8, len(PNG), 97))
def test_png_with_a_changed_byte_is_refused_or_read(position: int) -> None:
    """The outcome is an image or a refusal, never another exception."""
    changed = PNG[:position] + bytes([PNG[position] ^ 0xFF]) + PNG[position + 1 :]
    with suppress(RequestError):
        assert READER.from_body(changed, "image/png").shape == (1, 28, 28)


def _png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
END = chunk(b"IEND", b"")
BROKEN: dict[str, tuple[bytes, str]] = {
    "a wrong checksum": (_png(HEADER[:-1] + b"\x00", END), "PNG"),
    "no pixels": (_png(HEADER, END), "PNG"),
    "too few pixels": (_png(HEADER, chunk(b"IDAT", zlib.compress(bytes(100))), END), "PNG"),
    "pixels that are no zlib stream": (_png(HEADER, chunk(b"IDAT", b"nonsense"), END), "PNG"),
    "no width": (_png(chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 28, 8, 0, 0, 0, 0)), END), "PNG"),
    "a text of 100 MB in 100 kB": (
        _png(HEADER, chunk(b"zTXt", b"note\x00\x00" + zlib.compress(bytes(100_000_000))), END),
        "PNG",
    ),
    "a JPEG of three bytes": (b"\xff\xd8\xff", "JPEG"),
    "a BMP": (blank(kind="BMP"), "PNG"),
    "a JPEG called PNG": (blank(kind="JPEG"), "PNG"),
}


@pytest.mark.parametrize(("raw", "declared"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("reader", [READER, RESIZING], ids=["as it is", "resizing"])
def test_broken_picture(raw: bytes, declared: str, reader: ImageReader) -> None:
    with pytest.raises(
        MalformedBody, match=f"^body (is not a readable {declared}: .+|was declared as {declared} but is)"
    ):
        reader.from_body(raw, f"image/{declared.lower()}")


def test_too_many_pixels_are_refused_from_the_header() -> None:
    # 1,000,001 pixels announced, none there: were they decoded, the error would be another.
    raw = _png(chunk(b"IHDR", struct.pack(">IIBBBBB", 1_000_001, 1, 8, 0, 0, 0, 0)), END)
    with pytest.raises(TooLarge, match="body is an image of 1000001x1 pixels: at most 1000000 are allowed"):
        RESIZING.from_body(raw, "image/png")


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_too_many_pixels_are_refused_in_every_format(each: Format) -> None:
    reader = ImageReader(ImageInput(height=28, width=28), max_batch_size=1, max_image_pixels=899)
    with pytest.raises(TooLarge, match="body is an image of 30x30 pixels: at most 899 are allowed"):
        reader.from_body(blank("RGB", (30, 30), each.name), each.media_type)


def test_pixels_of_a_request_are_bounded_together() -> None:
    each = blank("L", (30, 30), "PNG")
    reader = ImageReader(ImageInput(height=28, width=28), 4, 900, PictureOptions(resize=True), max_request_pixels=1800)
    texts = [base64.b64encode(each).decode()] * 2
    rule = (
        "is an image of 30x30 pixels, which makes 2700 in this request: "
        "at most 1800 are allowed in all images of one; send fewer or smaller ones$"
    )
    for _ in range(2):  # each request is counted anew
        assert len(reader.from_json(texts)) == 2
        with pytest.raises(TooLarge, match=rf"^instances\[2\] {rule}"):
            reader.from_json([*texts, texts[0]], "instances")
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b.png"\r\n\r\n' + each + b"\r\n"
    form = "multipart/form-data;boundary=x"
    assert len(reader.from_body(part * 2 + b"--x--", form)) == 2
    with pytest.raises(TooLarge, match=rf"^file\[2\] b.png {rule}"):
        reader.from_body(part * 3 + b"--x--", form)
    scored = {"picture": np.array([each] * 3, object)}  # rows of a table are no request
    assert len(reader.from_columns(scored)) == 3


def test_many_pixels_are_not_decoded_on_an_event_loop() -> None:
    async def read(size: int) -> int:
        return len(RESIZING.from_body(blank("1", (size, size)), "image/png"))

    assert asyncio.run(read(300)) == 1
    with pytest.raises(NeedsThread):
        asyncio.run(read(400))
