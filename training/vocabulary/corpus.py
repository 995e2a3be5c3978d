"""A text that is on every machine: the source of Python's own library, as tokens, divided by file.

The files are the modules in the standard library's own folder, not those in its packages; what an operating system
adds to that folder is left out. The text depends on the Python version, to the patch release, and on nothing else.
"""

import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "<unknown>"  # no token is spelt so: a token is one word or one mark
_TOKEN = re.compile(r"\w+|[^\w\s]")

Text = list[str]  # one file's tokens, in order


def tokenise(text: str) -> Text:
    r"""Words, runs of letters, digits and underscores; and each other character that is not white space.

    >>> tokenise("if x_1 >= 0.5:\n    return")
    ['if', 'x_1', '>', '=', '0', '.', '5', ':', 'return']
    """
    return _TOKEN.findall(text)


def standard_library() -> dict[str, Text]:
    """The tokens of each file, by the file's name, in the names' order."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(folder.glob("*.py")) if path.stem in sys.stdlib_module_names]
    return {path.name: tokenise(path.read_text(encoding="utf-8")) for path in paths}


@dataclass(frozen=True, slots=True)
class Divided:
    """Files that a model learns from, that its settings are chosen on, and that it is reported on."""

    train: list[Text]
    tune: list[Text]
    report: list[Text]


def divide(texts: Mapping[str, Text], seed: int = 0) -> Divided:
    """A tenth of the files, drawn by `seed`, to `tune`, a tenth to `report`, the others to `train`.

    By file and not by place: a file repeats its own names, so that the rest of it would tell of a part held out.
    """
    names = sorted(texts)
    order = np.random.default_rng(seed).permutation(len(names))
    parts = np.split(order, [len(names) // 10, 2 * (len(names) // 10)])
    tune, report, train = ([texts[names[i]] for i in sorted(part)] for part in parts)
    return Divided(train, tune, report)


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
        known = [token for token, count in counts.items() if count >= least]
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
