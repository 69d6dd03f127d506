"""The page of a sandbox: what it shows and orders exists, and it takes nothing from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.labelled: set[str] = set()
        self._open: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "label":
            self._open.append(attributes.get("for") or "")
        elif tag == "input" and self._open:
            self.labelled.add(attributes["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.labelled.add(self._open.pop())


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox/{path}", json=body, timeout=10)


@pytest.fixture
def page(sandbox: Sandbox) -> Page:
    answer = requests.get(sandbox.url + "/", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"https?://|//\w+\.\w", answer.text)
    return Page(answer.text)


def test_every_button_orders_what_there_is(make_sandbox: Callable[..., Sandbox], page: Page) -> None:
    sandbox = make_sandbox(1)
    typed = {"sms": {"text": "Hello"}, "events": {"endpoint_id": 1_000_001, "description": "Hello"}}
    buttons = [attributes for tag, attributes in page.elements if tag == "button"]
    done = []
    for button in buttons:
        act, path, body = button.get("data-act"), button.get("data-path"), button.get("data-body")
        if act or path:
            sent = typed.get(act or path or "") or (json.loads(body) if body else None)
            where = f"endpoints/1000001/{act}" if act else str(path)
            answer = control(sandbox, button.get("data-method") or "POST", where, sent)
            assert answer.ok, f"{where}: {answer.text}"
            done.append(where)
    assert len(done) == 10
    assert {"endpoints/1000001/power", "endpoints/1000001/sms", "events", "tokens/revoke", "faults"} <= {
        *done
    }


def test_all_is_reached_by_keyboard_and_named(page: Page) -> None:
    assert not [attributes for _, attributes in page.elements if "onclick" in attributes]
    assert {"endpoint", "text", "connection"} <= page.labelled
    assert ("html", {"lang": "en"}) in page.elements
    titles = {attributes.get("id") for tag, attributes in page.elements if tag == "h2"}
    sections = [attributes["aria-labelledby"] for tag, attributes in page.elements if tag == "section"]
    assert set(sections) == titles
    assert any(attributes.get("aria-live") == "polite" for _, attributes in page.elements)


def test_the_overview_has_fleet_limits_requests_and_connection(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(4)
    api = connect(sandbox)
    sandbox.block(1_000_002)
    api.get("/api/v1/endpoint", q="name:Device")
    sandbox.faults.add(drop="before")
    with pytest.raises(requests.ConnectionError):
        api.get("/api/v1/sim")
    told = control(sandbox, "GET", "overview").json()
    assert told["fleet"]["devices"] == {"ONLINE": 3, "BLOCKED": 1}
    assert told["fleet"]["endpoints"] == {"Enabled": 4}
    assert told["fleet"]["SIMs"] == {"Issued": 100, "Activated": 4}
    assert told["first"] == 1_000_001
    dropped, listed, authenticated = told["last"]
    assert (dropped["path"], dropped["status"]) == ("/api/v1/sim", None)
    assert (listed["path"], listed["status"]) == ("/api/v1/endpoint?q=name%3ADevice", 200)
    assert listed["milliseconds"] > 0
    assert (authenticated["method"], told["authentications"], told["requests"]) == ("POST", 1, 3)
    used = {limit["name"]: (limit["used"], limit["amount"]) for limit in told["limits"]}
    assert used["calls per IP"] == (3, 2000)
    assert used["authentications per IP"] == (1, 100)
    assert json.loads(told["connection"]) == json.loads(sandbox.airflow_connection)


def test_an_event_is_raised_by_hand(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1)
    api = connect(sandbox)
    body = {"endpoint_id": 1_000_001, "description": "Overheated", "kind": 49, "severity": 2}
    number = control(sandbox, "POST", "events", body).json()["done"]
    (event,) = api.get("/api/v1/endpoint/1000001/event").json()
    assert (event["id"], event["description"]) == (number, "Overheated")
    assert (event["event_type"]["id"], event["event_severity"]["id"]) == (49, 2)
    assert control(sandbox, "POST", "events", {"endpoint_id": 7}).status_code == 404
    assert control(sandbox, "POST", "events", {"kind": 999}).status_code == 400
