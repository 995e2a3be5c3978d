"""The user's options: which data to train on, how to read them and how to split them. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service.inference.csv_files.form import CsvOptions, Decimal

FASHION_MNIST = "fashion-mnist"  # the data set that needs no --data
DATA_DIR_VARIABLE = "DEMUR_DATA_DIR"  # the environment variable that names its folder

Recipe = Literal["auto", "chapter", "tuned"]  # the splits of each: see training.data.splits
Colour = Literal["grey", "rgb"]
Copies = Literal["free", "one", "together"]  # the treatment of equal examples: see training.data.copies
Shares = tuple[float, float, float, float]  # of train, tune, calibration and report

DEFAULT_SHARES: Shares = (0.5, 0.1, 0.25, 0.15)
DEFAULT_LABEL_COLUMN = "label"
DEFAULT_MIN_PER_CLASS = 1
FEW_PER_CLASS = 10  # fewer examples of a class are a warning


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where the data are, how to read them and how to split them: one field for each option of the command line."""

    path: Path
    labels: Path | None = None
    label_column: str = DEFAULT_LABEL_COLUMN
    path_column: str | None = None
    vector_column: str | None = None
    classes: tuple[str, ...] | None = None
    min_per_class: int = DEFAULT_MIN_PER_CLASS
    drop_rare: int = 0
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Decimal | None = None
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    ignore_columns: tuple[str, ...] = ()
    missing: Literal["refuse", "mean"] = "refuse"
    image_size: tuple[int, int] | None = None
    image_colour: Colour | None = None
    skip_unreadable: int = 0
    split_shares: Shares = DEFAULT_SHARES
    split_column: str | None = None
    group_column: str | None = None
    time_column: str | None = None
    copies: Copies | None = None  # None: depends on the kind of input
    tune: Path | None = None
    calibration: Path | None = None
    report: Path | None = None
    # Not an option of the command line: `evaluate` takes it from the model.
    columns: tuple[str, ...] | None = None  # the inputs in a table; None: all that nothing else is done with

    @property
    def csv(self) -> CsvOptions:
        """How to read CSV files."""
        return CsvOptions(self.delimiter, self.encoding, self.decimal)

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """The columns that decide the splits; they are no inputs of the model."""
        return tuple(name for name in (self.split_column, self.group_column, self.time_column) if name is not None)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of names, which are read from a CSV as they are written; times are compared as times."""
        others = (self.label_column, self.path_column, self.split_column, self.group_column)
        return tuple(dict.fromkeys(name for name in (*others, *self.categorical) if name is not None))

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The splits that have a file of their own."""
        named = (("tune", self.tune), ("calibration", self.calibration), ("report", self.report))
        return tuple((name, path) for name, path in named if path is not None)

    @property
    def sources(self) -> tuple[Path, ...]:
        """All files or folders of examples, `path` first."""
        return (self.path, *(path for _, path in self.files))
