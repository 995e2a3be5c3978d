from pathlib import Path

import numpy as np

from training.data.text.corpus import (
    MAX_TOKEN_LENGTH,
    UNKNOWN,
    Vocabulary,
    divide,
    folder,
    standard_library,
    tokenise,
    windows,
)

TEXTS = {f"{i}.py": tokenise(f"value_{i} = value_{i} + one") for i in range(40)}


def test_library_holds_only_modules_of_python() -> None:
    library = standard_library().texts
    assert library["this.py"][:3] == ["s", "=", '"']
    assert not [name for name in library if name.startswith(("_sysconfigdata", "sitecustomize"))]
    assert list(library) == sorted(library)


def test_every_file_is_in_one_split() -> None:
    divided = divide(TEXTS)
    every = (divided.train, divided.tune, divided.calibration, divided.report)
    assert [len(split) for split in every] == [28, 4, 4, 4]
    names = [text[0] for split in every for text in split]
    assert sorted(names) == sorted(text[0] for text in TEXTS.values())


def test_split_depends_only_on_the_seed() -> None:
    assert divide(TEXTS) == divide(dict(reversed(TEXTS.items())))
    assert divide(TEXTS).report != divide(TEXTS, seed=1).report


def test_tokens_outside_the_vocabulary_are_unknown() -> None:
    vocabulary = Vocabulary.of(TEXTS.values(), min_count=3)
    assert vocabulary.tokens == (UNKNOWN, "+", "=", "one")
    assert vocabulary.ids([TEXTS["3.py"]])[0].tolist() == [0, 2, 0, 1, 3]
    assert UNKNOWN not in tokenise(UNKNOWN)  # so that no text can spell it


def test_windows_do_not_cross_files() -> None:
    contexts, following = windows([np.array([1, 2, 3]), np.array([4]), np.array([5, 6, 7])], 2)
    assert contexts.tolist() == [[1, 2], [5, 6]]
    assert following.tolist() == [3, 7]
    contexts, following = windows([np.array([1, 2])], 2)
    assert contexts.shape == (0, 2)
    assert following.shape == (0,)


def test_token_too_long_for_a_label_is_unknown() -> None:
    assert Vocabulary.of([["a" * MAX_TOKEN_LENGTH, "a" * (MAX_TOKEN_LENGTH + 1)] * 2]).tokens == (
        UNKNOWN,
        "a" * MAX_TOKEN_LENGTH,
    )


def test_each_file_of_a_folder_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("x = 1")
    (tmp_path / "a.md").write_text("é!", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    corpus = folder(tmp_path)
    assert dict(corpus.texts) == {"a.md": ["é", "!"], "b.txt": ["x", "=", "1"]}
    assert corpus.name == tmp_path.name
    (tmp_path / "b.txt").write_text("x = 2")
    assert folder(tmp_path).fingerprint() != corpus.fingerprint()
