"""What a search may try: the settings that the user left open, and what every trial needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from training.fitting.auto.trials import Edge, Trial, path
from training.fitting.fit import Epoch
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import Augment
from training.fitting.shifted import Picture


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Search:
    """The open settings of a search; None for those that are free, a value for those that are given."""

    classes: int
    seed: int
    variance: float  # mean over the features
    make_lift: Callable[[int], QuadraticLift]  # of at most so many coordinates
    picture: Picture | None = None  # the shape of the inputs, if they are pictures
    weight_decay: float | None = None  # where every feature has variance 1, as everywhere here
    lift: int | None = None
    augment: Augment | None = None
    on_start: Callable[[int, Augment], None] = _ignore
    on_trial: Callable[[Trial], None] = _ignore
    on_epoch: Callable[[Epoch], None] = _ignore
    _lifts: dict[int, QuadraticLift] = field(default_factory=dict)

    def lifts(self, ladder: Sequence[int]) -> tuple[int, ...]:
        """The numbers of coordinates to try, rising; 0 for none."""
        return (0, *ladder) if self.lift is None else (self.lift,)

    @property
    def augments(self) -> tuple[Augment, ...]:
        """The augmentations to try, the simpler one first."""
        if self.augment is not None:
            return (self.augment,)
        return ("none",) if self.picture is None else ("none", "shift")

    def lift_of(self, components: int) -> QuadraticLift:
        """The lift of at most so many coordinates; each is made once."""
        if components not in self._lifts:
            self._lifts[components] = self.make_lift(components)
        return self._lifts[components]

    def decay(
        self, losses: Callable[[float], Tensor], strongest: float, weakest: float
    ) -> tuple[float, Tensor, Edge | None]:
        """The best weight decay, or the given one, with its losses; arguments and results as for `path`."""
        if self.weight_decay is not None:
            return self.weight_decay, losses(self.weight_decay), None
        return path(losses, strongest, weakest)

    def trying(self, lift: int, augment: Augment = "none") -> None:
        """Tell of a trial that begins."""
        self.on_start(lift, augment)

    def tried(self, trial: Trial) -> Trial:
        """Tell of a trial, and return it."""
        self.on_trial(trial)
        return trial
