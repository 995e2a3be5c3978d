"""The one way in: from what a user says about data to a data set that can be split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data import labels
from training.data.dataset import Labelled, LabelledData
from training.data.division import Division, divide
from training.data.findings import Findings
from training.data.options import DataOptions
from training.data.pool import Pool
from training.data.raw import Raw
from training.data.scan import scan
from training.data.sources import arrays, fashion_mnist, idx_folder, image_files, table_files, tables, vectors
from training.data.sources.fetch import fetch, locate
from training.errors import DataError

Say = Callable[[str], None]

_FORMS = (
    "a folder with a folder for each class, of IDX or of Parquet files, "
    "or a file .csv, .parquet, .npy, .npz or -ubyte(.gz)"
)
_OF_PICTURES = ("image_size", "image_colour", "skip_unreadable")
_OF_TABLES = ("categorical", "ignore_columns")


@dataclass(frozen=True, slots=True)
class Opened:
    """Data as they were found, whether they can be learnt from or not."""

    raw: Raw
    pool: Pool | None  # None where an error stands against it
    findings: Findings
    division: Division | None = None  # None where an error stands against it


def load(options: DataOptions | None, data_dir: Path | None, say: Say) -> LabelledData:
    """The data of the command line: those of `--data`, or Fashion-MNIST.

    `say` gets a line for each warning. Raises DataError for what forbids a fit.
    """
    if options is None:
        return fashion_mnist.load(locate(data_dir) or fetch(say))
    opened = open_data(options)
    for warning in opened.findings.warnings:
        say(f"warning: {warning}")
    opened.findings.refuse()
    assert opened.pool is not None  # without an error there is one
    return opened.pool


def open_data(options: DataOptions) -> Opened:
    """Read and check. What is wrong is in the findings; raises DataError where there is nothing left to look at."""
    findings = Findings()
    raw = _read(options, findings)
    coded = labels.check(raw, options, findings)
    scanned = scan(raw, coded.names, findings)
    division = divide(raw, coded, scanned.hashes, options, findings)
    labels.check_counts(coded, division.drawing.kept if division else None, options, findings)
    if findings.errors or division is None:
        return Opened(raw, None, findings, division)
    pool = Pool(
        name=name_of(options.path),
        input=raw.input,
        classes=coded.names,
        fingerprint=scanned.fingerprint,
        examples=Labelled(division.wording.what, raw.inputs, coded.codes),
        drawing=division.drawing,
        wording=division.wording,
        times=division.times,
    )
    return Opened(raw, pool, findings, division)


def name_of(path: Path) -> str:
    """The data set's and the model's name: the file's without its ending, or the folder's.

    >>> name_of(Path("some/cancer.csv"))
    'cancer'
    """
    whole = path.resolve()
    return (whole.name if whole.is_dir() else whole.stem) or "data"


def _read(options: DataOptions, findings: Findings) -> Raw:
    path = options.path
    if not path.exists():
        raise DataError(f"--data {path} is not there")
    if path.suffix in table_files.SUFFIXES or table_files.is_folder(path):
        return _read_tables(options, findings)
    if path.is_dir():
        if idx_folder.is_folder(path):
            _refuse(options, "IDX files", (*_OF_PICTURES, *_OF_TABLES, "labels", "path_column", "vector_column"))
            return _without_files(options, "a folder of IDX files", idx_folder.read_folder)
        _refuse(options, "a folder of pictures", (*_OF_TABLES, "labels", "path_column", "vector_column"))
        return image_files.read_folders(options, findings)
    _refuse(options, f"a {path.suffix or 'file'}", (*_OF_PICTURES, *_OF_TABLES, "path_column", "vector_column"))
    if path.suffix == ".npy":
        return arrays.read_npy(options)
    if path.suffix == ".npz":
        _refuse(options, "a .npz", ("labels",))
        return arrays.read_npz(options)
    if idx_folder.is_file(path):
        return _without_files(options, "an IDX file", idx_folder.read_file)
    raise DataError(f"--data {path} is of no form that is known: {_FORMS}")


def _read_tables(options: DataOptions, findings: Findings) -> Raw:
    """CSV or Parquet: paths of pictures, vectors, or the numbers and categories themselves."""
    if options.path_column is not None:
        _refuse(options, "a table of pictures", (*_OF_TABLES, "labels", "vector_column"))
        return image_files.read_table(options, findings)
    _refuse(options, "a table", (*_OF_PICTURES, "labels"))
    if (name := vectors.column(options)) is not None:
        _refuse(options, "embeddings", ("categorical",))
        return vectors.read(options, name, findings)
    return tables.read(options, findings)


def _without_files(options: DataOptions, what: str, read: Callable[[DataOptions], Raw]) -> Raw:
    if options.files:
        raise DataError(f"--{options.files[0][0]}: {what} is read as one; name the splits in a table of --labels")
    return read(options)


def _refuse(options: DataOptions, what: str, names: tuple[str, ...]) -> None:
    """Raise DataError where an option was given that says nothing about this form."""
    default = DataOptions(options.path)
    for name in names:
        if getattr(options, name) != getattr(default, name):
            raise DataError(f"--{name.replace('_', '-')} says nothing about {what}: {options.path}")


def class_counts(opened: Opened) -> dict[str, int]:
    """How many examples each class has, without the copies that are left out."""
    coded = opened.raw.labels
    counts = labels.counts_of_kept(coded, opened.division.drawing.kept if opened.division else None)
    return dict(zip(coded.names, counts.tolist(), strict=True))
