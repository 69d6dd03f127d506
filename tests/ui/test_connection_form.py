"""The form of a connection: what it asks for, what it keeps, and what its Test button says."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from airflow_provider_emnify.hooks.form import FIELDS, HIDDEN, PLACEHOLDERS, RELABELING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page, Route

    from tests.ui.conftest import Site

pytestmark = [
    pytest.mark.ui,
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="Airflow 2 has another form"),
]

MASKS_EXTRAS = Version(version("apache-airflow")) >= Version("3.3.2")  # before, no provider's are
WRONG = "a-token-that-nobody-knows-5b1f"
IN_EXTRA = {"api_secret": "secret-of-callbacks-77aa", "stream_secret": "secret-of-streams-88bb"}


@pytest.fixture
def form(site: Site, page: Page) -> Locator:
    """The form of a new connection, with the type emnify chosen from those that are offered."""
    page.goto(f"{site.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    page.keyboard.type("emnify")
    page.get_by_role("option", name="emnify", exact=True).click()
    dialog.get_by_label("Base URL").wait_for()
    return dialog


def test_the_standard_fields_have_emnify_s_names(form: Locator, picture: Callable[..., None]) -> None:
    fields = form.get_by_role("region", name="Standard Fields")
    names = fields.locator("input, textarea").evaluate_all("all => all.map((one) => one.name)")
    assert set(names) == {"description", *RELABELING}
    assert not set(names) & set(HIDDEN)
    for name, label in RELABELING.items():
        field = fields.get_by_label(label, exact=True)
        assert field.get_attribute("name") == name
        assert field.get_attribute("placeholder") == PLACEHOLDERS[name]
        assert field.get_attribute("type") == ("password" if name == "password" else "text")
    form.get_by_label("Connection ID").fill("emnify_default")
    picture(form, "connection-form")


def test_each_extra_is_a_field_with_its_help_and_secrets_are_masked(form: Locator) -> None:
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for field in FIELDS:
        group = form.get_by_role("group").filter(has=form.page.get_by_text(field.label, exact=True))
        assert field.help in group.inner_text()
        control = group.locator("input")
        assert control.get_attribute("name") == f"element_{field.name}"
        if field.secret:
            assert control.get_attribute("type") == ("password" if MASKS_EXTRAS else None)
        elif field.kind == "integer":
            assert control.get_attribute("role") == "spinbutton"
        else:
            assert control.get_attribute("type") != "password"


def test_what_is_saved_is_what_was_typed_and_no_secret_comes_back(
    form: Locator, page: Page, site: Site, secrets: list[str]
) -> None:
    password = json.dumps({"application_token": WRONG, "fingerprint": "fingerprint-66cc"})
    secrets += [WRONG, "fingerprint-66cc", *IN_EXTRA.values()]
    form.get_by_label("Connection ID").fill("typed")
    form.get_by_label("Base URL").fill(site.sandbox.url)
    form.get_by_label("Application token", exact=True).fill(password)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    typed = {"timeout": "7", "task_share": "0.5", "rate_limit_store": "memory", **IN_EXTRA}
    for name, value in typed.items():
        form.locator(f"[name=element_{name}]").fill(value)
    form.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="typed")
    row.get_by_role("cell", name=site.sandbox.url).wait_for()

    saved = site.request("GET", "/api/v2/connections/typed")
    extra = json.loads(saved["extra"])
    assert (saved["conn_type"], saved["host"], saved["password"]) == ("emnify", site.sandbox.url, "***")
    assert float(extra.pop("task_share")) == 0.5  # before Airflow 3.2 it is text
    assert {name: value for name, value in extra.items() if value is not None} == {
        "timeout": 7,
        "rate_limit_store": "memory",
        **dict.fromkeys(IN_EXTRA, "***"),
    }
    row.get_by_role("button", name="Edit Connection").click()
    assert form.get_by_label("Application token", exact=True).input_value() == "***"
    assert form.locator("[name=element_timeout]").input_value() == "7"
    for name in IN_EXTRA:
        assert form.locator(f"[name=element_{name}]").input_value() == "***"
    page.goto(f"{site.url}/events")  # the audit log has what was sent
    page.get_by_role("row", name="post_connection").first.wait_for()


@pytest.fixture
def saved(site: Site) -> Callable[[str, str], None]:
    """Save a connection to the sandbox."""

    def save(name: str, token: str) -> None:
        body = {"connection_id": name, "conn_type": "emnify", "host": site.sandbox.url, "password": token}
        site.request("POST", "/api/v2/connections", {**body, "extra": '{"rate_limit_store": "memory"}'})

    return save


def without_port(route: Route) -> None:
    """Send what the page of Airflow 3.3.1 and 3.3.2 should: no port as none, not as 0.

    They refuse the test of every saved connection that has no port, of any type.
    """
    body: dict[str, Any] = route.request.post_data_json
    route.continue_(post_data=json.dumps({**body, "port": body.get("port") or None}))


@pytest.mark.parametrize(
    ("name", "title", "message"),
    [
        ("good", "Test Connection Successful", r"Connected to Sandbox \(organisation 100\) at http://127"),
        ("bad", "Test Connection Failed", r"Not accepted\. Put a valid application token into the password"),
    ],
)
def test_the_test_button_says_whether_the_token_is_good(
    name: str,
    title: str,
    message: str,
    site: Site,
    page: Page,
    secrets: list[str],
    saved: Callable[[str, str], None],
) -> None:
    secrets.append(WRONG)
    saved(name, WRONG if name == "bad" else site.sandbox.application_token)
    page.route("**/api/v2/connections/test", without_port)
    page.goto(f"{site.url}/connections")
    page.get_by_role("row", name=name).get_by_role("button", name="Test Connection").click()
    page.get_by_text(title).first.wait_for()
    page.get_by_text(re.compile(message)).first.wait_for()
