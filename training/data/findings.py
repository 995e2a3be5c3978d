"""What is wrong with some data, collected, so that a user hears of all of it and not only of the first."""

from dataclasses import dataclass, field

from training.errors import DataError


@dataclass(slots=True)
class Findings:
    """Lines for a reader: `errors` forbid a fit, `warnings` do not."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self) -> None:
        """Raise DataError where there is any error: the first, and how many more there are."""
        if self.errors:
            more = len(self.errors) - 1
            rest = f" ({more} more: `demur describe` lists them)" if more else ""
            raise DataError(self.errors[0] + rest)
