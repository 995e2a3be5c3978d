"""The file of API keys: its format, its permissions, and how a key is made."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.contract.errors import SettingsError
from service.http.access import keys
from service.http.access.hosts import Hosts
from service.http.access.scopes import ADMIN, PREDICT
from tests.server import ROOT, command_environment

ZEROS, ONES = "0" * 64, "1" * 64


def _file(folder: Path, text: str, mode: int = 0o644) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_new_key_is_found_and_no_other() -> None:
    new = [keys.new(name, frozenset({PREDICT})) for name in ("a", "b", "c")]
    known = keys.Keys([key for _, key in new[:2]])
    for presented, key in new[:2]:
        assert known.find(presented.encode()) is key
    unknown = new[2][0]
    for text in (unknown, unknown[:-1], "", new[0][1].digest.hex(), new[0][0] + "x"):
        assert known.find(text.encode()) is None


def test_key_has_256_random_bits_and_its_line_only_the_hash() -> None:
    presented, key = keys.new("shop", frozenset({ADMIN, PREDICT}))
    assert re.fullmatch(r"demur_[A-Za-z0-9_-]{43}", presented)  # 43 characters of 6 bits
    assert key.line() == f"shop predict,admin sha256:{hashlib.sha256(presented.encode()).hexdigest()}"
    assert keys.parse(key.line()) == [key]


def test_file_may_have_comments_empty_lines_and_many_keys(tmp_path: Path) -> None:
    text = f"# of the shop\n\nnew predict sha256:{ZEROS}\n  old\tpredict,feedback sha256:{ONES}  \n"
    assert keys.read(_file(tmp_path, text)).names == ["new", "old"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "has no API key: it needs at least one"),
        ("# none\n\n", "has no API key"),
        (f"a predict sha256:{ZEROS}\nb predict\n", ", line 2: it has 2 words and must have 3: NAME SCOPE"),
        ("demur_this-is-the-key-itself\n", ", line 1: it has 1 words and must have 3"),
        (f"a,b predict sha256:{ZEROS}\n", ", line 1: the name must be 1 to 64 letters"),
        (f"a write sha256:{ZEROS}\n", ", line 1: the scopes must be some of predict, feedback, admin"),
        (f"a predict,predict sha256:{ZEROS}\n", ", line 1: the scopes must be some of predict, feedback, admin"),
        (f"a predict, sha256:{ZEROS}\n", ", line 1: the scopes must be some of"),
        ("a predict demur_this-is-the-key-itself\n", ", line 1: the hash must be sha256: and 64 hex digits"),
        (f"a predict sha256:{'A' * 64}\n", ", line 1: the hash must be sha256: and 64 hex digits in lower case"),
        (f"a predict sha256:{ZEROS}\n\na admin sha256:{ONES}\n", ", line 3: the name a is used twice"),
        (
            f"a predict sha256:{ZEROS}\nb admin sha256:{ZEROS}\n",
            ", line 2: b has the hash of a: each name needs",
        ),
        (
            "".join(f"k{i} predict sha256:{i:064x}\n" for i in range(keys.MAX_KEYS + 1)),
            f", line {keys.MAX_KEYS + 1}: too many keys: at most 1000 are allowed",
        ),
        ("x" * (1024 * 1024 + 1), "has more than 1048576 bytes"),
    ],
)
def test_errors_name_file_line_and_rule(tmp_path: Path, text: str, rule: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        keys.read(path)
    assert str(error.value).startswith(str(path))
    assert rule in str(error.value)
    assert "this-is-the-key-itself" not in str(error.value)


def test_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^cannot read the API keys .*/keys: No such file or directory$"):
        keys.read(tmp_path / "keys")
    (tmp_path / "keys").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        keys.read(tmp_path / "keys")


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match=rf"has mode {mode:o}: only its owner may write the API keys"):
        keys.read(_file(tmp_path, f"a predict sha256:{ZEROS}\n", mode))


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600, 0o644])
def test_file_mounted_as_a_secret_is_accepted(tmp_path: Path, mode: int) -> None:
    assert keys.read(_file(tmp_path, f"a predict sha256:{ZEROS}\n", mode)).names == ["a"]


@pytest.mark.parametrize("text", ["", "a b", "demur.example:8000", "*", "*.", "*example", "http://demur.example", "a,"])
def test_invalid_host_is_named_with_its_rule(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^SETTING='.*': '.*' is no host: it must be a name or an address"):
        Hosts.parse(text, "SETTING")


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (b"demur.example", True),
        (b"DEMUR.example:8443", True),
        (b"[::1]:8000", True),
        (b"a.b.inside", True),
        (b"inside", False),
        (b"xinside", False),
        (b"demur.example.evil", False),
        (b"evil@demur.example", False),
        (b"demur.example:80:80", False),
        (b"demur.example/", False),
        (b"demur.example,evil", False),
        (b"\xff", False),
        (b"", False),
        (None, False),
    ],
)
def test_host_header_is_checked(header: bytes | None, allowed: bool) -> None:
    hosts = Hosts.parse("demur.example, *.inside,[::1]", "SETTING")
    assert hosts.allow(header) is allowed


def _key(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", "key", *arguments]
    environment = {**command_environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_command_adds_a_line_to_the_file_and_prints_the_key(tmp_path: Path) -> None:
    first = _key("shop", "--scope", "predict", "--scope", "feedback", "--file", "keys", folder=tmp_path)
    path = tmp_path / "keys"
    assert path.stat().st_mode & 0o022 == 0
    path.write_text(path.read_text().rstrip("\n"))  # an editor may leave it so
    second = _key("operator", "--scope", "admin", "--file", "keys", folder=tmp_path)
    known = keys.read(path)
    for result, name, scopes in ((first, "shop", {"predict", "feedback"}), (second, "operator", {"admin"})):
        assert (result.returncode, result.stderr) == (0, "")
        key = known.find(result.stdout.strip().encode())
        assert key is not None
        assert (key.name, set(key.scopes)) == (name, scopes)
        assert result.stdout.strip() not in path.read_text()


def test_command_without_a_file_prints_the_line_too(tmp_path: Path) -> None:
    presented, line = _key("shop", "--scope", "predict", folder=tmp_path).stdout.splitlines()
    assert keys.Keys(keys.parse(line)).find(presented.encode()) is not None
    assert os.listdir(tmp_path) == []


def test_command_reports_errors_in_one_line(tmp_path: Path) -> None:
    assert _key("shop", "--scope", "predict", "--file", "keys", folder=tmp_path).returncode == 0
    before = (tmp_path / "keys").read_text()
    os.mkfifo(tmp_path / "fifo")
    for status, arguments, message in (
        (1, ["shop", "--scope", "admin", "--file", "keys"], "demur: keys has a key shop already: remove its line"),
        (1, ["a b", "--scope", "admin"], "demur: the name must be 1 to 64 letters"),
        (1, ["b", "--scope", "admin", "--file", "no/keys"], "demur: cannot write the API keys no/keys: No such file"),
        (2, ["b", "--scope", "admin", "--file", "fifo"], "demur: cannot write fifo: it is a fifo; name a regular file"),
    ):
        result = _key(*arguments, folder=tmp_path)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (status, "", 1)
        assert result.stderr.startswith(message)
    assert _key("shop", folder=tmp_path).returncode == 2
    assert (tmp_path / "keys").read_text() == before
