"""Searches for inputs that break one target, guided by coverage: `python -m tests.fuzz TARGET FOLDER [-runs=N]`.

Needs atheris. Arguments after the folder are libFuzzer's. The folder holds the inputs that reached new code; the
seeds and the stored corpus are put there first.
"""

import logging
import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service", "python_multipart", "PIL"]):
    from tests.fuzz.corpus import kept
    from tests.fuzz.seeds import seeds
    from tests.fuzz.targets import accepts


def main() -> None:
    """Run libFuzzer; it ends the process."""
    name, folder, *options = sys.argv[1:]
    logging.disable()  # as in the service, for the parsers' messages
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*seeds()[name], *kept(name)]):
        (Path(folder) / f"seed-{number}").write_bytes(data)
    # A hang, a leak and high memory use end the run like a crash.
    limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=4096", f"-artifact_prefix={folder}{os.sep}crash-"]
    atheris.Setup([sys.argv[0], *limits, *options, folder], lambda data: accepts(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
