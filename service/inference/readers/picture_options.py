"""The options for reading pictures."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """Options of a request that apply only to pictures, and how carefully its JSON is checked."""

    resize: bool = False
    invert: bool = False
    # The search for booleans among the pixels takes longer than all other checks. It is skipped if the JSON has none.
    check_booleans: bool = True

    @property
    def background(self) -> Literal["black", "white"]:
        """The colour around a fitted picture: white if it is inverted afterwards, so that it ends up black."""
        return "white" if self.invert else "black"

    def inverted(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The negative of the images if `invert` is set. The last step for every form.

        >>> PictureOptions(invert=True).inverted(np.array([0, 1, 255], np.uint8)).tolist()
        [255, 254, 0]
        """
        return np.invert(images) if self.invert else images

    def check_unset(self, inputs: str) -> None:
        """Raise InvalidValue if an option is set; `inputs` says what the model takes instead of pictures."""
        if self.resize or self.invert:
            option = "resize" if self.resize else "invert"
            raise InvalidValue(option, f"=true is for pictures: this model takes {inputs}")


NO_PICTURE_OPTIONS = PictureOptions()
