"""A text of forty files and over a thousand tokens, most of them predictable from those before."""

from training.data.text.corpus import Corpus, tokenise

NAMES = 1500
SENTENCES = 220  # of a file


def corpus() -> Corpus:
    """Each file shares its names with its neighbours; each name is in five or six files."""
    return Corpus("made", "the made text", {f"{i:02}.txt": tokenise(text(i)) for i in range(40)})


def text(number: int) -> str:
    """The text of one file."""
    names = ((number * 100 + j) % NAMES for j in range(SENTENCES))
    return "".join(f"if a : b = ( c + d ) ; name_{name}\n" for name in names)
