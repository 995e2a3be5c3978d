"""How a request wants its pictures read."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """The options of a request that only pictures have, and what the service knows of its JSON."""

    resize: bool = False
    invert: bool = False
    # Looking for a true or a false among the pixels takes longer than all other checks: not done where the text has
    # none.
    check_booleans: bool = True

    @property
    def background(self) -> Literal["black", "white"]:
        """The colour around a fitted picture: white where all is inverted afterwards, so that it ends up black."""
        return "white" if self.invert else "black"

    def inverted(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The negative of the images where `invert` is set: the last step of every form.

        >>> PictureOptions(invert=True).inverted(np.array([0, 1, 255], np.uint8)).tolist()
        [255, 254, 0]
        """
        return np.invert(images) if self.invert else images

    def check_unset(self, inputs: str) -> None:
        """Raise InvalidValue for an option that is set; `inputs` is what the model takes instead of pictures."""
        if self.resize or self.invert:
            option = "resize" if self.resize else "invert"
            raise InvalidValue(option, f"=true is for pictures: this model takes {inputs}")


NO_PICTURE_OPTIONS = PictureOptions()
