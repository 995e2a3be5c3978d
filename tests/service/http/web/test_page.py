"""The page's files: what is served, what is not, and the headers that isolate it. `tests/browser` tests its use."""

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny
from tests.service.canon import assert_problem

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "service" / "http" / "web" / "page"
FILES = {path.name: path for path in sorted(FOLDER.iterdir())}
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def test_page_is_the_file(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content) == (200, FILES["index.html"].read_bytes())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", FILES)
def test_file_is_served_with_its_type(client: TestClient, name: str) -> None:
    answer = client.get(f"/page/{name}")
    assert (answer.status_code, answer.content) == (200, FILES[name].read_bytes())
    assert answer.headers["content-type"] == TYPES[FILES[name].suffix]


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/page/style.css"])
def test_headers_allow_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
def test_cached_version_is_not_sent_again(client: TestClient, path: str) -> None:
    full = client.get(path)
    etag = full.headers["etag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "content-security-policy"):
            assert again.headers[name] == full.headers[name]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_files_of_different_content_have_different_etags(client: TestClient) -> None:
    assert len({client.get(f"/page/{name}").headers["etag"] for name in FILES}) == len(FILES)


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/nothing.js",
        "/page/..%2fpage%2fmain.js",
        "/page/%2e%2e%2f%2e%2e%2fREADME.md",
        "/page/..%5cpage%5cmain.js",
        "/page/.%2fmain.js",
        "/page/MAIN.JS",
        "/page/main.js%00",
        "/page/main.js/",
        "/index.html",
    ],
)
def test_other_names_do_not_exist(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404, "does not exist")


def test_other_methods_are_not_allowed(client: TestClient) -> None:
    assert_problem(client.post("/"), 405)
    assert_problem(client.delete("/page/main.js"), 405)


def test_page_is_served_without_a_default_model(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tiny.write(tmp_path).rename(tmp_path / f"{name}.onnx")
    with TestClient(create_app(Settings(models=tmp_path))) as client:
        assert client.get("/").status_code == 200


class _Reader(HTMLParser):
    """The files that an HTML page loads, and the parts of it that its policy would forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.forbidden: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.forbidden.append(f"{tag} {name}")
            if name in ("src", "href") and tag in ("script", "link", "img"):
                self.loads.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.forbidden.append(self._inside)


def test_page_has_no_inline_script_or_style() -> None:
    reader = _Reader()
    reader.feed(FILES["index.html"].read_text())
    assert reader.forbidden == []
    assert {path.removeprefix("page/") for path in reader.loads} <= FILES.keys()


def test_files_name_no_other_host() -> None:
    for name, path in FILES.items():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.", text), name


def test_modules_use_their_imports_and_these_exist() -> None:
    used = {"main.js"}
    for path in FILES.values():
        text = path.read_text()
        for names, module in re.findall(r'^import \{ (.*) \} from "\./(.*)";$', text, re.MULTILINE):
            exported = set(
                re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", FILES[module].read_text(), re.M)
            )
            used.add(module)
            for name in names.split(", "):
                assert name in exported
                assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{path.name} does not use {name}"
        assert all(len(line) <= 120 for line in text.splitlines()), path.name
    assert used == {name for name in FILES if name.endswith(".js")}


def test_files_of_the_page_are_in_the_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "service.http.web"
    ]
    packed = {path for pattern in patterns for path in (ROOT / "service" / "http" / "web").glob(pattern)}
    assert packed >= set(FILES.values())
