"""A text as tokens, divided by file: that of a folder, or one that is on every machine, Python's own library.

Of the library the files are the modules in the standard library's own folder, not those in its packages; what an
operating system adds to that folder is left out. That text depends on the Python version, to the patch release, and on
nothing else.
"""

import hashlib
import platform
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

LONGEST = 200  # characters of a token: a longer one is no word, and names no class
_LEAST_FILES = 10  # so that each split has one

UNKNOWN = "<unknown>"  # no token is spelt so: a token is one word or one mark
_TOKEN = re.compile(r"\w+|[^\w\s]")

Text = list[str]  # one file's tokens, in order


def tokenise(text: str) -> Text:
    r"""Words, runs of letters, digits and underscores; and each other character that is not white space.

    >>> tokenise("if x_1 >= 0.5:\n    return")
    ['if', 'x_1', '>', '=', '0', '.', '5', ':', 'return']
    """
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The tokens of each file, by the file's name, in the names' order, and what they are called."""

    name: str
    words: str  # what the files are of, in a sentence
    texts: Mapping[str, Text]

    def fingerprint(self) -> str:
        """SHA-256, in hex, of the names and the tokens."""
        digest = hashlib.sha256()
        for name, text in self.texts.items():
            digest.update("\n".join([name, *text, ""]).encode() + b"\0")
        return digest.hexdigest()


def standard_library() -> Corpus:
    """Python's own."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(folder.glob("*.py")) if path.stem in sys.stdlib_module_names]
    version = platform.python_version()
    return Corpus(f"python-{version}-library", f"the standard library of Python {version}", _read(paths))


def folder(path: Path) -> Corpus:
    """All files in a folder, each a text in UTF-8. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"--text {path} is no folder: it is one that holds text files")
    paths = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    name = path.resolve().name
    return Corpus(name[:LONGEST] or "text", f"the folder {name}", _read(paths))


def _read(paths: list[Path]) -> dict[str, Text]:
    texts = {}
    for path in paths:
        try:
            texts[path.name] = tokenise(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is no text in UTF-8: byte {error.start} cannot be read") from None
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
    return texts


@dataclass(frozen=True, slots=True)
class Divided:
    """Files that a model learns from, that its settings are chosen on, that it is certified and reported on."""

    train: list[Text]
    tune: list[Text]
    calibration: list[Text]
    report: list[Text]


def divide(texts: Mapping[str, Text], seed: int = 0) -> Divided:
    """A tenth of the files, drawn by `seed`, to each of `tune`, `calibration` and `report`, the others to `train`.

    By file and not by place: a file repeats its own names, so that the rest of it would tell of a part held out.
    Raises DataError where there are too few.
    """
    if len(texts) < _LEAST_FILES:
        raise DataError(f"the text has {len(texts)} files: at least {_LEAST_FILES} are needed, to be divided by file")
    names = sorted(texts)
    order = np.random.default_rng(seed).permutation(len(names))
    tenth = len(names) // 10
    parts = np.split(order, [tenth, 2 * tenth, 3 * tenth])
    tune, report, calibration, train = ([texts[names[i]] for i in sorted(part)] for part in parts)
    return Divided(train, tune, calibration, report)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that have an id, the most frequent first. Id 0 is every other token's: `UNKNOWN`."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[Text], least: int = 2) -> "Vocabulary":
        """The tokens that occur `least` times or more.

        The rarer ones become unknown, in the very texts that a model learns from, so that it learns to expect some.

        >>> Vocabulary.of([["a", "b", "a"], ["c", "c", "c"]]).tokens
        ('<unknown>', 'c', 'a')
        """
        counts = Counter(token for text in texts for token in text)
        known = [token for token, count in counts.items() if count >= least and len(token) <= LONGEST]
        return cls((UNKNOWN, *sorted(known, key=lambda token: (-counts[token], token))))

    def __len__(self) -> int:
        return len(self.tokens)

    def ids(self, texts: Iterable[Text]) -> list[NDArray[np.int64]]:
        """Each text's ids.

        >>> Vocabulary(("<unknown>", "c", "a")).ids([["a", "b"]])
        [array([2, 0])]
        """
        places = {token: place for place, token in enumerate(self.tokens)}
        return [np.array([places.get(token, 0) for token in text], np.int64) for text in texts]


def windows(ids: Iterable[NDArray[np.int64]], context: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each place's `context` tokens before it, `[N, context]`, and the token there, `[N]`; none across files.

    The first `context` tokens of a file are predicted by nobody.

    >>> contexts, following = windows([np.array([5, 6, 7, 8])], 2)
    >>> contexts.tolist(), following.tolist()
    ([[5, 6], [6, 7]], [7, 8])
    """
    rows = [np.lib.stride_tricks.sliding_window_view(text, context + 1) for text in ids if len(text) > context]
    joined = np.concatenate([np.empty((0, context + 1), np.int64), *rows])
    return np.ascontiguousarray(joined[:, :-1]), np.ascontiguousarray(joined[:, -1])
