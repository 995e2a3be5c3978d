import numpy as np

from training.vocabulary.corpus import UNKNOWN, Vocabulary, divide, standard_library, tokenise, windows

TEXTS = {f"{i}.py": tokenise(f"value_{i} = value_{i} + one") for i in range(40)}


def test_library_is_python_and_nothing_that_is_made_on_this_machine() -> None:
    library = standard_library()
    assert library["this.py"][:3] == ["s", "=", '"']
    assert not [name for name in library if name.startswith(("_sysconfigdata", "sitecustomize"))]
    assert list(library) == sorted(library)


def test_every_file_is_in_one_split() -> None:
    divided = divide(TEXTS)
    assert [len(split) for split in (divided.train, divided.tune, divided.report)] == [32, 4, 4]
    names = [text[0] for split in (divided.train, divided.tune, divided.report) for text in split]
    assert sorted(names) == sorted(text[0] for text in TEXTS.values())


def test_split_is_the_seed_s() -> None:
    assert divide(TEXTS) == divide(dict(reversed(TEXTS.items())))
    assert divide(TEXTS).report != divide(TEXTS, seed=1).report


def test_what_is_not_in_the_vocabulary_is_unknown() -> None:
    vocabulary = Vocabulary.of(TEXTS.values(), least=3)
    assert vocabulary.tokens == (UNKNOWN, "+", "=", "one")
    assert vocabulary.ids([TEXTS["3.py"]])[0].tolist() == [0, 2, 0, 1, 3]
    assert UNKNOWN not in tokenise(UNKNOWN)  # so that no text can spell it


def test_windows_do_not_reach_into_another_file() -> None:
    contexts, following = windows([np.array([1, 2, 3]), np.array([4]), np.array([5, 6, 7])], 2)
    assert contexts.tolist() == [[1, 2], [5, 6]]
    assert following.tolist() == [3, 7]
    contexts, following = windows([np.array([1, 2])], 2)
    assert contexts.shape == (0, 2)
    assert following.shape == (0,)
