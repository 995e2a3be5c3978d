"""Opens data: from the user's options to a data set that can be split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.contract.inputs import FeaturesInput
from service.inference.csv_files.form import is_csv, uncompressed
from training.data import labels
from training.data.dataset import Labelled, LabelledData
from training.data.division import Division, divide
from training.data.options import DataOptions
from training.data.pool import Pool
from training.data.rare import counts_of_kept
from training.data.raw import Findings, RawData
from training.data.scan import scan
from training.data.sources import (
    arrays,
    fashion_mnist,
    idx_folder,
    image_files,
    picture_column,
    table_files,
    tables,
    vectors,
)
from training.data.sources.fetch import fetch, locate
from training.errors import DataError

Log = Callable[[str], None]

_FORMS = (
    "a folder with a folder for each class, a folder of tables or IDX files, "
    f"or a file {table_files.ENDINGS}, .npy, .npz or -ubyte(.gz)"
)
_PICTURE_OPTIONS = ("image_size", "image_colour", "skip_unreadable")
_TABLE_OPTIONS = ("categorical", "numeric", "decimal", "ignore_columns")
_CSV_OPTIONS = ("delimiter", "encoding")


@dataclass(frozen=True, slots=True)
class OpenedData:
    """Data as they were read, with their problems."""

    raw: RawData
    pool: Pool | None  # None if an error prevents a fit
    findings: Findings
    division: Division | None = None  # None if an error prevents the split


def load(options: DataOptions | None, data_dir: Path | None, log: Log) -> LabelledData:
    """The data of the command line: those of `--data`, or Fashion-MNIST.

    `log` gets a line for each warning. Raises DataError for anything that prevents a fit.
    """
    if options is None:
        return fashion_mnist.load(locate(data_dir) or fetch(log))
    opened = open_data(options)
    for warning in opened.findings.warnings:
        log(f"warning: {warning}")
    for line in opened.findings.left_out:
        log(line)
    opened.findings.raise_errors()
    assert opened.pool is not None  # it is there if there is no error
    return opened.pool


def open_data(options: DataOptions) -> OpenedData:
    """Read and check the data. Problems go into the findings; raises DataError if there is nothing left to check."""
    try:
        return _open(options)
    except MemoryError as error:
        raise DataError(
            f"there is not enough memory for {options.path} ({str(error).splitlines()[0] or 'out of memory'}): a table "
            "and pictures are held in memory as a whole. Close other programs, give fewer rows or columns, or give "
            "embeddings as .npy, which stay in their file"
        ) from None


def _open(options: DataOptions) -> OpenedData:
    findings = Findings()
    raw = _read(options, findings)
    coded = labels.check(raw, options, findings)
    scanned = scan(raw, findings)
    division = divide(raw, coded, scanned.hashes, options, findings)
    if division is not None:
        coded = division.labels
    labels.check_counts(coded, division.rule.kept if division else None, options, findings)
    if findings.errors or division is None:
        return OpenedData(raw, None, findings, division)
    pool = Pool(
        name=name_of(options.path),
        input=raw.input,
        classes=coded.names,
        fingerprint=scanned.fingerprint(raw, coded.names),
        examples=Labelled(
            division.wording.examples, raw.inputs, coded.codes, are_numbers=isinstance(raw.input, FeaturesInput)
        ),
        split_rule=division.rule,
        wording=division.wording,
        times=division.times,
    )
    return OpenedData(raw, pool, findings, division)


def name_of(path: Path) -> str:
    """The name of the data set and the model: that of the file without its ending, or of the folder.

    >>> name_of(Path("some/cancer.csv"))
    'cancer'
    """
    resolved = uncompressed(path.resolve())
    return (resolved.name if resolved.is_dir() else resolved.stem) or "data"


def _read(options: DataOptions, findings: Findings) -> RawData:
    path = options.path
    if not path.exists():
        raise DataError(f"--data {path} does not exist")
    if (path.is_file() and table_files.is_table(path)) or table_files.is_folder(path):
        return _read_tables(options, findings)
    if options.labels is None or not is_csv(options.labels):
        _reject(options, "data without a CSV file", _CSV_OPTIONS)
    if path.is_dir():
        if idx_folder.is_folder(path):
            _reject(
                options, "IDX files", (*_PICTURE_OPTIONS, *_TABLE_OPTIONS, "labels", "path_column", "vector_column")
            )
            return _without_files(options, "a folder of IDX files", idx_folder.read_folder)
        _reject(options, "a folder of pictures", (*_TABLE_OPTIONS, "labels", "path_column", "vector_column"))
        return image_files.read_folders(options, findings)
    _reject(options, f"a {path.suffix or 'file'}", (*_PICTURE_OPTIONS, *_TABLE_OPTIONS, "path_column", "vector_column"))
    if path.suffix == ".npy":
        return arrays.read_npy(options)
    if path.suffix == ".npz":
        _reject(options, "a .npz", ("labels",))
        return arrays.read_npz(options)
    if idx_folder.is_file(path):
        return _without_files(options, "an IDX file", idx_folder.read_file)
    raise DataError(f"--data {path} has an unknown form: give {_FORMS}")


def _read_tables(options: DataOptions, findings: Findings) -> RawData:
    """CSV or Parquet: pictures or their paths, vectors, or the numbers and categories themselves."""
    if not any(is_csv(file.path) for source in options.sources for file in table_files.files(source)):
        _reject(options, "Parquet", _CSV_OPTIONS)
    if options.path_column is not None:
        _reject(options, "a table of pictures", (*_TABLE_OPTIONS, "labels", "vector_column"))
        return image_files.read_table(options, findings)
    if (name := picture_column.column(options)) is not None:
        _reject(options, "a column of pictures", ("categorical", "numeric", "decimal", "labels"))
        return picture_column.read(options, name, findings)
    _reject(options, "a table", (*_PICTURE_OPTIONS, "labels"))
    if (name := vectors.column(options)) is not None:
        _reject(options, "embeddings", ("categorical", "numeric", "decimal"))
        return vectors.read(options, name, findings)
    return tables.read(options, findings)


def _without_files(options: DataOptions, form: str, read: Callable[[DataOptions], RawData]) -> RawData:
    if options.files:
        raise DataError(
            f"--{options.files[0][0]} cannot be used with {form}: name the split of each example in a table, by "
            "--labels TABLE --split-column NAME"
        )
    return read(options)


def _reject(options: DataOptions, form: str, names: tuple[str, ...]) -> None:
    """Raise DataError if an option was given that does not apply to this form."""
    default = DataOptions(options.path)
    for name in names:
        if getattr(options, name) != getattr(default, name):
            raise DataError(f"--{name.replace('_', '-')} does not apply to {form} ({options.path}): leave it out")


def class_counts(opened: OpenedData) -> dict[str, int]:
    """The number of examples of each class, without copies and rare classes that are left out."""
    coded = opened.division.labels if opened.division else opened.raw.labels
    counts = counts_of_kept(coded, opened.division.rule.kept if opened.division else None)
    return dict(zip(coded.names, counts.tolist(), strict=True))
