"""Options that only pictures have: a reader of pictures follows them, and the others refuse them."""

import pytest

from service.contract.errors import InvalidValue
from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from service.inference.readers.picture_options import NO_PICTURE_OPTIONS, PictureOptions
from service.inference.readers.reader import reader_for
from service.settings import Settings

OTHERS: list[Kind] = [FeaturesInput(width=1), TokensInput(context=1, vocabulary=["a"], unknown=0)]


@pytest.mark.parametrize("kind", [ImageInput(height=1, width=1), *OTHERS])
def test_reader_is_unchanged_without_options(kind: Kind) -> None:
    reader = reader_for(kind, Settings().read_limits)
    assert reader.with_options(NO_PICTURE_OPTIONS) is reader


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("options", [{"resize": True}, {"invert": True}])
def test_other_kinds_refuse_them(kind: Kind, options: dict[str, bool]) -> None:
    reader = reader_for(kind, Settings().read_limits)
    with pytest.raises(InvalidValue, match=f"^{next(iter(options))}=true is for pictures: this model takes "):
        reader.with_options(PictureOptions(**options))


def test_options_apply_to_one_request_only() -> None:
    reader = reader_for(ImageInput(height=1, width=2), Settings().read_limits)
    assert reader.with_options(PictureOptions(invert=True)).from_json([[0, 9]]).tolist() == [[[255, 246]]]
    assert reader.from_json([[0, 9]]).tolist() == [[[0, 9]]]
