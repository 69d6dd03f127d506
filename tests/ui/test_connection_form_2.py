"""The form of a connection on Airflow 2: what it asks for, what it keeps, and what its Test button says."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.hooks.form import FIELDS, HIDDEN, PLACEHOLDERS, RELABELING
from tests.ui.browser import Window
from tests.ui.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.ui,
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(find_spec("airflow.sdk") is not None, reason="Airflow 3 has another form"),
]

WRONG = "a-token-that-nobody-knows-5b1f"
IN_EXTRA = {"api_secret": "secret-of-callbacks-77aa", "stream_secret": "secret-of-streams-88bb"}


@pytest.fixture(scope="module")
def pages(browser: Browser) -> Iterator[tuple[str, Any]]:
    """The address of Airflow's pages, and a sandbox."""
    sys.path.append(str(ROOT / "dev"))
    from local_airflow_2 import LocalPages2
    from local_sandbox import LocalSandbox

    with LocalPages2(lambda line: None) as airflow:
        sandbox = LocalSandbox(airflow.processes, airflow.home, "--endpoints", "3")
        airflow.start(sandbox.connection)
        airflow.wait_until_ready(300)
        yield airflow.url, sandbox
    sys.path.remove(str(ROOT / "dev"))


@pytest.fixture
def form(pages: tuple[str, Any], browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The form of a new connection, with the type emnify chosen from those that are offered."""
    window = Window(browser, tmp_path / "received.har")
    window.page.goto(f"{pages[0]}/connection/add")
    window.page.locator("#conn_type").select_option("emnify", force=True)
    window.page.locator("label[for=host]").get_by_text("Base URL").wait_for()
    yield window.page
    window.close()
    assert window.hosts <= {"127.0.0.1"}
    assert not window.leaks([pages[1].application_token, WRONG, *IN_EXTRA.values()])


def test_the_standard_fields_have_emnify_s_names(form: Page) -> None:
    for name, label in RELABELING.items():
        assert form.locator(f"label[for={name}]").inner_text().strip() == label
        assert form.locator(f"#{name}").get_attribute("placeholder") == PLACEHOLDERS[name]
    assert form.locator("#password").get_attribute("type") == "password"
    assert not [name for name in HIDDEN if form.locator(f"#{name}").is_visible()]


def test_each_extra_is_a_field_with_its_help_and_secrets_are_masked(form: Page) -> None:
    for field in FIELDS:
        row = form.get_by_role("row").filter(has=form.locator(f"#extra__emnify__{field.name}"))
        assert row.locator("label").inner_text().strip() == field.label
        assert field.help in row.inner_text()
        assert row.locator("input").get_attribute("type") == ("password" if field.secret else "text")


def test_what_is_saved_is_what_was_typed_and_no_secret_comes_back(form: Page, pages: tuple[str, Any]) -> None:
    form.locator("#conn_id").fill("typed")
    form.locator("#host").fill(pages[1].url)
    form.locator("#password").fill(WRONG)
    for name, value in {"timeout": "7", "rate_limit_store": "memory", **IN_EXTRA}.items():
        form.locator(f"#extra__emnify__{name}").fill(value)
    form.get_by_role("button", name="Save").click()
    form.get_by_text("Added Row").wait_for()
    form.goto(f"{pages[0]}/connection/list/")
    row = form.get_by_role("row").filter(has_text="typed")
    row.get_by_text(pages[1].url).wait_for()
    row.locator("a[href*='/connection/edit/']").first.click()
    form.locator("#extra__emnify__timeout").wait_for()
    assert form.locator("#extra__emnify__timeout").input_value() == "7"
    assert form.locator("#extra__emnify__rate_limit_store").input_value() == "memory"


@pytest.mark.parametrize(("good", "message"), [(True, "Connected to Sandbox"), (False, "Not accepted.")])
def test_the_test_button_says_whether_the_token_is_good(
    good: bool, message: str, form: Page, pages: tuple[str, Any]
) -> None:
    form.locator("#conn_id").fill("tried")
    form.locator("#host").fill(pages[1].url)
    form.locator("#password").fill(pages[1].application_token if good else WRONG)
    form.locator("#extra__emnify__rate_limit_store").fill("memory")
    form.get_by_role("button", name="Test").click()
    form.get_by_text(message).first.wait_for()
    form.locator("#password").fill("")
