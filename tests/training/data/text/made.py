"""A text of forty files and more than a thousand tokens, in which most tokens follow from those before them."""

from training.data.text.corpus import Corpus, tokenise

NAMES = 1500
SENTENCES = 220  # of a file


def corpus() -> Corpus:
    """Each file has names of its own and its neighbours'; each name is in five files or six."""
    return Corpus("made", "the made text", {f"{i:02}.txt": tokenise(text(i)) for i in range(40)})


def text(number: int) -> str:
    """One file's."""
    names = ((number * 100 + j) % NAMES for j in range(SENTENCES))
    return "".join(f"if a : b = ( c + d ) ; name_{name}\n" for name in names)
