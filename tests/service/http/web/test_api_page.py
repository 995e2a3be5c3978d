"""`/docs`: all its files are local, and its policy allows nothing else."""

import re

import pytest
from fastapi.testclient import TestClient

from tests.service.canon import assert_problem


def test_every_file_that_the_page_names_is_served(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 5
    for path in named:
        assert "//" not in path
        assert client.get(f"/{path}").status_code == 200
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text


def test_policy_allows_only_our_scripts(client: TestClient) -> None:
    policy = dict(part.split(" ", 1) for part in client.get("/docs").headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"


@pytest.mark.parametrize(("condition", "status"), [("W/{}", 304), ("{}", 304), ('"another"', 200), ("*", 304)])
def test_browser_gets_a_file_again_only_if_it_has_changed(client: TestClient, condition: str, status: int) -> None:
    etag = client.get("/docs/start.js").headers["etag"]
    answer = client.get("/docs/start.js", headers={"if-none-match": condition.format(etag)})
    assert (answer.status_code, answer.headers["etag"]) == (status, etag)
    assert (answer.content == b"") == (status == 304)


@pytest.mark.parametrize("name", ["nothing.js", "METADATA", "..%2fstart.js", "..%2f..%2fpage%2findex.html"])
def test_other_paths_do_not_exist(client: TestClient, name: str) -> None:
    assert_problem(client.get(f"/docs/{name}"), 404)
