"""Pictures from cameras and programs, and their negatives: the pixels that the model gets."""

import base64

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import MalformedBody, TooLarge, UnsupportedType
from service.contract.inputs import ImageInput
from service.inference.readers.body import NPY, RAW
from service.inference.readers.images import ImageReader, Images
from service.inference.readers.picture_options import PictureOptions
from tests.service.arrays import npy
from tests.service.pictures import announcing, encoded

READER = ImageReader(ImageInput(height=28, width=28), max_batch_size=4, max_image_pixels=10_000)
RESIZING = READER.with_options(PictureOptions(resize=True))
PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
FORM = "multipart/form-data;boundary=edge"


def _form(*pictures: tuple[str, bytes]) -> bytes:
    parts = [
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n%b\r\n' % (name.encode(), picture)
        for name, picture in pictures
    ]
    return b"".join(parts) + b"--edge--\r\n"


def _model_pixels(image: Image.Image, kind: str = "PNG", *, invert: bool = False, **options: object) -> Images:
    body = encoded(image, kind, **options)
    reader = READER.with_options(PictureOptions(resize=True, invert=invert))
    (image_seen,) = reader.from_body(body, f"image/{kind.lower()}")
    return np.asarray(image_seen, np.uint8)


def test_form_gives_the_same_pixels_as_single_files() -> None:
    jpeg = encoded(Image.new("RGB", (60, 40), (200, 30, 90)), "JPEG")
    png = encoded(Image.fromarray(PIXELS))
    result = RESIZING.from_body(_form(("a.jpg", jpeg), ("b.png", png)), FORM)
    np.testing.assert_array_equal(result[0], RESIZING.from_body(jpeg, "image/jpeg")[0])
    np.testing.assert_array_equal(result[1], PIXELS)


def test_form_ignores_file_names() -> None:
    result = READER.from_body(_form(("photo.jpg", encoded(Image.fromarray(PIXELS)))), FORM)
    np.testing.assert_array_equal(result, [PIXELS])


@pytest.mark.parametrize(
    ("second", "kind", "message"),
    [
        (b"%PDF-1.7", UnsupportedType, r"file\[1\] shirt.jpg is none of PNG, JPEG, WebP, GIF"),
        (b"", UnsupportedType, r"file\[1\] shirt.jpg is empty"),
        (encoded(Image.fromarray(PIXELS))[:400], MalformedBody, r"file\[1\] shirt.jpg is not a readable PNG"),
        (announcing(200, 200), TooLarge, r"file\[1\] shirt.jpg is an image of 200x200 pixels: at most 10000"),
    ],
    ids=["PDF", "empty", "cut", "huge"],
)
def test_form_names_the_invalid_file(second: bytes, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        RESIZING.from_body(_form(("a.png", encoded(Image.fromarray(PIXELS))), ("shirt.jpg", second)), FORM)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_truncated_jpeg_is_refused(share: float) -> None:
    jpeg = encoded(Image.fromarray(PIXELS), "JPEG")
    with pytest.raises(MalformedBody, match="body is not a readable JPEG"):
        RESIZING.from_body(jpeg[: int(share * len(jpeg))], "image/jpeg")


def test_cmyk_jpeg_is_accepted() -> None:
    paper = Image.new("CMYK", (40, 40), (0, 0, 0, 0))
    ink = Image.new("CMYK", (40, 40), (0, 0, 0, 255))
    assert _model_pixels(paper, "JPEG").min() >= 250
    assert _model_pixels(ink, "JPEG").max() <= 5


def test_palette_is_resolved() -> None:
    image = Image.new("P", (28, 28), 1)
    image.putpalette([0, 0, 0, 130, 130, 130])
    assert set(np.unique(_model_pixels(image))) == {130}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_camera_is_turned_upright(orientation: int) -> None:
    """White, grey and black in three corners, so that all turns and mirror images differ."""
    upright = Image.new("L", (28, 28), 60)
    upright.paste(255, (0, 0, 14, 14))
    upright.paste(0, (14, 14, 28, 28))
    turned = upright.transpose(_BACK[orientation]) if orientation in _BACK else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("PNG", "TIFF"):
        stored = encoded(turned, form, exif=exif)
        for reader in (READER, RESIZING):  # upright is the right way up whether or not it is fitted
            np.testing.assert_array_equal(reader.from_body(stored, f"image/{form.lower()}")[0], np.asarray(upright))


# How to store a picture that orientation N turns upright.
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_invert_takes_the_negative_of_every_form() -> None:
    negative = 255 - PIXELS
    inverting = READER.with_options(PictureOptions(invert=True))
    png = encoded(Image.fromarray(PIXELS))
    raw = PIXELS.tobytes()
    for value in (PIXELS.tolist(), base64.b64encode(png).decode(), base64.b64encode(raw).decode()):
        np.testing.assert_array_equal(inverting.from_json([value]), [negative])
    bodies = [(raw, RAW), (npy(PIXELS[np.newaxis]), NPY), (png, "image/png"), (_form(("a.png", png)), FORM)]
    for body, media_type in bodies:
        np.testing.assert_array_equal(inverting.from_body(body, media_type), [negative])


def test_padding_of_a_negative_is_black() -> None:
    wide = _model_pixels(Image.new("L", (100, 50), 55), invert=True)
    assert wide[:7].max() == wide[-7:].max() == 0
    assert set(np.unique(wide[7:21])) == {200}


@pytest.mark.parametrize("invert", [False, True])
def test_transparent_pixels_end_up_black(invert: bool) -> None:
    for mode, clear in (("RGBA", (90, 90, 90, 0)), ("LA", (90, 0))):
        assert _model_pixels(Image.new(mode, (40, 40), clear), invert=invert).max() == 0
