"""`/docs`: the API can be read and tried, with nothing from another host."""

import re

import pytest
from playwright.sync_api import Page, Route, expect


@pytest.mark.parametrize("prefix", ["", "/behind/a/proxy"])
def test_every_operation_is_shown_and_can_be_tried(page: Page, prefix: str) -> None:
    def without_prefix(route: Route) -> None:
        """As a proxy passes the request on."""
        route.fulfill(response=route.fetch(url=route.request.url.replace(prefix, "", 1)))

    if prefix:
        page.route(re.compile(f"{prefix}/"), without_prefix)
    page.goto(f"{prefix}/docs")
    description = page.request.get("/openapi.json").json()
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    expect(page.locator(".opblock")).to_have_count(len(operations))
    predict = page.locator("#operations-default-predict_predict_post")
    predict.locator(".opblock-summary-control").click()
    with page.expect_response(re.compile(f":[0-9]+{prefix}/predict")) as answered:
        predict.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200  # the example is a black picture
    expect(predict.locator(".live-responses-table .microlight").first).to_contain_text("out_of_distribution")
