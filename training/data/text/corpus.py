"""A text as tokens, divided by file: that of a folder, or the standard library of Python, which every machine has.

The library's files are the modules in its top folder, without packages and without files that an operating system adds.
So the text depends only on the version of Python, including the patch release.
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

MAX_TOKEN_LENGTH = 200  # characters: a longer token is not a word, and not a class
_MIN_FILES = 10  # so that each split has one

UNKNOWN = "<unknown>"  # never a token itself: a token is one word or one other character
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
    """The tokens of each file, in the order of the files' names."""

    name: str
    description: str  # what the files are from, in a sentence
    texts: Mapping[str, Text]

    def fingerprint(self) -> str:
        """SHA-256, in hex, of the names and the tokens."""
        digest = hashlib.sha256()
        for name, text in self.texts.items():
            digest.update("\n".join([name, *text, ""]).encode() + b"\0")
        return digest.hexdigest()


def standard_library() -> Corpus:
    """The corpus of Python's standard library."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(folder.glob("*.py")) if path.stem in sys.stdlib_module_names]
    version = platform.python_version()
    return Corpus(f"python-{version}-library", f"the standard library of Python {version}", _read(paths))


def folder(path: Path) -> Corpus:
    """The corpus of all files in a folder, which must be UTF-8. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"--text {path} is not a folder: give a folder of text files")
    paths = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    name = path.resolve().name
    return Corpus(name[:MAX_TOKEN_LENGTH] or "text", f"the folder {name}", _read(paths))


def _read(paths: list[Path]) -> dict[str, Text]:
    texts = {}
    for path in paths:
        try:
            texts[path.name] = tokenise(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not a text in UTF-8: byte {error.start} cannot be decoded") from None
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
    return texts


@dataclass(frozen=True, slots=True)
class TextSplits:
    """The files of each split."""

    train: list[Text]
    tune: list[Text]
    calibration: list[Text]
    report: list[Text]


def divide(texts: Mapping[str, Text], seed: int = 0) -> TextSplits:
    """A tenth of the files, drawn by `seed`, to each of `tune`, `calibration` and `report`, the others to `train`.

    By file, not by position: a file repeats its own names, so the rest of it would reveal a part that is held out.
    Raises DataError if there are too few files.
    """
    if len(texts) < _MIN_FILES:
        raise DataError(
            f"the text has {len(texts)} files: it takes at least {_MIN_FILES}, since splits are divided by file"
        )
    names = sorted(texts)
    order = np.random.default_rng(seed).permutation(len(names))
    tenth = len(names) // 10
    parts = np.split(order, [tenth, 2 * tenth, 3 * tenth])
    tune, report, calibration, train = ([texts[names[i]] for i in sorted(part)] for part in parts)
    return TextSplits(train, tune, calibration, report)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that have an id, the most frequent first. Id 0 stands for every other token: `UNKNOWN`."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[Text], min_count: int = 2) -> "Vocabulary":
        """The tokens that occur `min_count` times or more.

        Rarer tokens are unknown in the training texts too, so that the model learns to expect unknown ones.

        >>> Vocabulary.of([["a", "b", "a"], ["c", "c", "c"]]).tokens
        ('<unknown>', 'c', 'a')
        """
        counts = Counter(token for text in texts for token in text)
        frequent = [token for token, count in counts.items() if count >= min_count and len(token) <= MAX_TOKEN_LENGTH]
        return cls((UNKNOWN, *sorted(frequent, key=lambda token: (-counts[token], token))))

    def __len__(self) -> int:
        return len(self.tokens)

    def ids(self, texts: Iterable[Text]) -> list[NDArray[np.int64]]:
        """The ids of each text.

        >>> Vocabulary(("<unknown>", "c", "a")).ids([["a", "b"]])
        [array([2, 0])]
        """
        ids = {token: i for i, token in enumerate(self.tokens)}
        return [np.array([ids.get(token, 0) for token in text], np.int64) for text in texts]


def windows(ids: Iterable[NDArray[np.int64]], context: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each position, the `context` tokens before it, `[N, context]`, and its token, `[N]`; none across files.

    The first `context` tokens of a file are never predicted.

    >>> contexts, following = windows([np.array([5, 6, 7, 8])], 2)
    >>> contexts.tolist(), following.tolist()
    ([[5, 6], [6, 7]], [7, 8])
    """
    rows = [np.lib.stride_tricks.sliding_window_view(text, context + 1) for text in ids if len(text) > context]
    joined = np.concatenate([np.empty((0, context + 1), np.int64), *rows])
    return np.ascontiguousarray(joined[:, :-1]), np.ascontiguousarray(joined[:, -1])
