"""A run that is begun on Airflow's page: its states, logs, links and values, and labels of mapped tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.ui.browser import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from tests.ui.conftest import Site

pytestmark = [pytest.mark.ui, pytest.mark.system, pytest.mark.timeout(400)]

SECONDS = 180


@dataclass
class Run:
    """A run of the example ``onboard``, and which states of its last waits the page has shown."""

    url: str
    path: str
    states: list[str] = field(default_factory=list)

    def task(self, task_id: str, tab: str = "") -> str:
        return f"{self.url}/tasks/{task_id}{tab}"


def shown(page: Page, task_id: str, state: str) -> str:
    """Wait until the table of a run shows a task in a state."""
    page.get_by_role("row", name=task_id).get_by_role("cell", name=state, exact=True).wait_for(
        timeout=SECONDS * 1000
    )
    return state


@pytest.fixture(scope="module")
def run(
    site: Site, browser: Browser, tmp_path_factory: pytest.TempPathFactory, picture: Callable[..., None]
) -> Run:
    """Trigger the example on its page, with another number of devices than it has, and wait for its end."""
    window = Window(browser, tmp_path_factory.mktemp("run") / "received.har")
    window.context.add_cookies([site.cookie])
    page = window.page
    page.goto(f"{site.url}/dags/onboard")
    page.get_by_role("button", name="Trigger Dag").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("devices").fill("2")
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.get_by_text("Dag run has been successfully triggered").first.wait_for()
    (begun,) = site.request("GET", "/api/v2/dags/onboard/dagRuns")["dag_runs"]
    name = begun["dag_run_id"]
    run = Run(f"{site.url}/dags/onboard/runs/{quote(name)}", f"/api/v2/dags/onboard/dagRuns/{quote(name)}")
    page.goto(run.url)
    run.states.append(shown(page, "wait_online", "Deferred"))
    page.goto(run.task("wait_online"))
    page.get_by_text("0 of 2 endpoints ONLINE; still waiting for").first.wait_for()
    picture(page, "wait", clip={"x": 0, "y": 0, "width": 1280, "height": 480})
    page.goto(run.url)
    site.sandbox.control("clock", {"advance": 3600})  # now the devices are online
    run.states += [shown(page, "wait_online", "Success"), shown(page, "report", "Success")]
    window.close()
    assert not window.leaks([site.sandbox.application_token])
    return run


def test_the_page_shows_the_wait_deferred_and_then_its_end(
    run: Run, site: Site, page: Page, picture: Callable[..., None]
) -> None:
    assert run.states == ["Deferred", "Success", "Success"]
    assert site.request("GET", run.path)["state"] == "success"
    page.goto(run.url)
    page.get_by_role("button", name="Show Graph").click()
    page.get_by_role("button", name="Collapse Details Panel").click()
    graph = page.locator(".react-flow")
    graph.get_by_text("EmnifyCreateUserOperator").wait_for()
    assert graph.get_by_text("success", exact=True).count() == 8
    page.set_viewport_size({"width": 1280, "height": 400})
    page.get_by_role("button", name="Fit View").click()
    picture(page, "run", style=".react-flow__minimap { visibility: hidden }")


def test_the_log_of_a_task_tells_what_was_asked_and_what_was_done(run: Run, page: Page) -> None:
    page.goto(run.task("create_endpoints"))
    page.get_by_text("Creating 2 endpoints").wait_for()
    page.get_by_text("Created 2 endpoints: ").wait_for()
    page.goto(run.task("wait_online"))
    page.get_by_text("2 of 2 endpoints ONLINE").last.wait_for()


@pytest.mark.parametrize(
    ("task_id", "links"),
    [
        (
            "create_endpoints",
            {
                "emnify devices": "https://portal.emnify.com/connected-devices",
                "emnify SIMs": "https://portal.emnify.com/sim-inventory",
            },
        ),
        ("create_user", {"emnify users": "https://portal.emnify.com/organisation-settings/users"}),
        ("wait_online", {"emnify devices": "https://portal.emnify.com/connected-devices"}),
    ],
)
def test_a_task_has_links_to_the_portal(task_id: str, links: dict[str, str], run: Run, page: Page) -> None:
    page.goto(run.task(task_id, "/details"))
    for name, target in links.items():
        link = page.get_by_role("link", name=name)
        link.wait_for()
        assert link.get_attribute("href") == target


def test_rendered_templates_and_results_have_the_values(run: Run, page: Page) -> None:
    page.goto(run.task("create_user", "/rendered_templates"))
    page.get_by_role("row", name="username").get_by_text("operations@example.org").wait_for()
    page.goto(run.task("create_endpoints", "/rendered_templates"))
    page.get_by_role("row", name="status").get_by_text("disabled").wait_for()
    page.get_by_role("row", name="emnify_conn_id").get_by_text("emnify_default").wait_for()
    page.goto(run.task("report", "/xcom"))
    page.get_by_role("row", name="return_value").wait_for()


@pytest.mark.parametrize("tab", ["task-state-store", "events", "code"])
def test_no_other_page_of_a_task_has_a_secret(tab: str, run: Run, page: Page) -> None:
    page.goto(run.task("create_endpoints", f"/{tab}"))
    page.get_by_role("heading", name="create_endpoints").wait_for()
    page.wait_for_load_state("networkidle")


def test_a_mapped_task_is_labelled_with_its_endpoint(site: Site, page: Page) -> None:
    (asset,) = site.request("GET", "/api/v2/assets?uri_pattern=emnify_default/sms")["assets"]
    device = {"id": 1_000_003, "name": "Device 3"}
    sms: dict[str, Any] = {"text": "BATTERY 12", "endpoint": device, "submit_date": "2026-01-01T00:00:00Z"}
    site.request("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": sms})
    begun = "/api/v2/dags/on_device_sms/dagRuns"
    site.wait(lambda: bool(site.request("GET", begun)["dag_runs"]), "a run that the SMS has begun")
    (run,) = site.request("GET", begun)["dag_runs"]
    name = quote(run["dag_run_id"])
    page.goto(f"{site.url}/dags/on_device_sms/runs/{name}/tasks/answer/mapped")
    row = page.get_by_role("row", name="endpoint 1000003")
    row.get_by_role("cell", name="Success", exact=True).wait_for(timeout=SECONDS * 1000)
