"""The page of a sandbox in a browser: it shows what is there, its buttons work, also from the keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from requests import get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.ui.browser import Window

pytestmark = [pytest.mark.ui, pytest.mark.system]


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    sandbox = make_sandbox(endpoints=5, spare_sims=3, events=5)
    sandbox.power(1_000_002, on=False)
    return sandbox


@pytest.fixture
def home(window: Window, sandbox: Sandbox) -> Iterator[Page]:
    """The page, without an error of its script."""
    errors: list[str] = []
    window.page.on("pageerror", lambda error: errors.append(str(error)))
    window.page.goto(sandbox.url)
    window.page.get_by_text("calls per IP").wait_for()
    yield window.page
    assert not errors


def count(page: Page, what: str, status: str) -> Locator:
    return page.get_by_role("row", name=re.compile(f"^{what} {status} ")).get_by_role("cell").nth(2)


def said(page: Page, text: str) -> None:
    page.get_by_role("status").get_by_text(text).wait_for()


def shows(cell: Locator, text: str) -> None:
    cell.filter(has_text=re.compile(f"^{text}$")).wait_for()


def test_it_shows_the_fleet_by_status_and_the_last_requests(
    home: Page, sandbox: Sandbox, client: EmnifyClient, picture: Callable[..., None]
) -> None:
    shows(count(home, "devices", "ONLINE"), "4")
    shows(count(home, "devices", "OFFLINE"), "1")
    shows(count(home, "SIMs", "Activated"), "5")
    assert len(list(client.endpoints.list())) == 5
    assert get(f"{sandbox.url}/api/v1/sim", timeout=10).status_code == 401
    row = home.get_by_role("row", name="GET /api/v1/sim")
    shows(row.get_by_role("cell").nth(2), "401")  # it looks again by itself
    assert (
        sandbox.airflow_connection.split('"password": "')[1][:20]
        in home.get_by_label("For a shell").input_value()
    )
    picture(home, "sandbox", full_page=True)


def test_its_buttons_do_what_they_say(home: Page, sandbox: Sandbox) -> None:
    assert home.get_by_label("Endpoint").input_value() == "1000001"
    home.get_by_role("button", name="Switch off").click()
    said(home, "Done: Switch off.")
    shows(count(home, "devices", "OFFLINE"), "2")
    home.get_by_role("button", name="Block", exact=True).click()
    said(home, "Done: Block.")
    shows(count(home, "devices", "BLOCKED"), "1")
    home.get_by_role("button", name="Fail the next request").click()
    said(home, "Done: Fail the next request.")
    assert get(f"{sandbox.url}/api/v1/endpoint", timeout=10).status_code == 503
    home.get_by_label("Endpoint").fill("7")
    home.get_by_role("button", name="Unblock").click()
    said(home, "Unblock: ")
    assert home.get_by_role("status").get_attribute("class") == "bad"
    home.get_by_label("Endpoint").fill("pump 7")
    home.get_by_role("button", name="Raise an event").click()
    said(home, "Raise an event: Endpoint is a number")


def test_it_works_with_the_keyboard_alone(home: Page) -> None:
    reached: list[str] = []
    expected = home.locator("input, button, textarea, a").count()
    for _ in range(expected):
        home.keyboard.press("Tab")
        reached.append(home.evaluate("() => document.activeElement.id || document.activeElement.textContent"))
    assert len({*reached}) == expected
    outline = home.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    while home.evaluate("() => document.activeElement.textContent") != "Switch off":
        home.keyboard.press("Shift+Tab")
    home.keyboard.press("Enter")
    said(home, "Done: Switch off.")
    shows(count(home, "devices", "OFFLINE"), "2")
    home.keyboard.press("Tab")
    home.keyboard.press("Space")
    said(home, "Done: Switch on.")


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_others_name_things_is_text_and_fits_a_narrow_window(
    home: Page, sandbox: Sandbox, scheme: Literal["light", "dark"]
) -> None:
    home.emulate_media(color_scheme=scheme)
    home.set_viewport_size({"width": 320, "height": 600})
    get(f"{sandbox.url}/<img src=x onerror=window.ran=1>/{'x' * 3000}", timeout=10)
    home.get_by_role("cell", name="onerror").wait_for()
    assert home.evaluate("() => window.ran") is None
    assert home.evaluate("() => document.documentElement.scrollWidth") == 320
    assert home.get_by_role("cell", name="onerror").evaluate("(cell) => cell.offsetHeight") < 600


def test_a_token_in_what_a_window_has_received_is_found(window: Window, sandbox: Sandbox) -> None:
    """The page of a sandbox shows its token on purpose: so Airflow's pages are seen to show none."""
    window.page.goto(sandbox.url)
    window.page.get_by_text("calls per IP").wait_for()
    token = window.page.evaluate(
        """(token) => fetch('/api/v1/authenticate', {
            method: 'POST', body: JSON.stringify({application_token: token}),
            headers: {'Content-Type': 'application/json'}
        }).then((answer) => answer.json()).then((told) => told.auth_token)""",
        sandbox.application_token,
    )
    assert token.count(".") == 2
    window.close()
    found = window.leaks([sandbox.application_token])
    assert [one for one in found if one.endswith("<SECRET>")]
    assert [one for one in found if "<JWT of spc-frontend" in one]
