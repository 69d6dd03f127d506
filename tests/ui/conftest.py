"""A real Airflow with a sandbox of emnify, and Chromium to look at both: started once for all tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.browser import MILLISECONDS, Window, chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
LOOPBACK = {"127.0.0.1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="take the pictures of README and docs anew")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    api = pytest.importorskip("playwright.sync_api")
    if (program := chromium()) is None:
        pytest.skip("there is no Chromium on this machine (Debian, Ubuntu: apt install chromium)")
    api.expect.set_options(timeout=MILLISECONDS)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, timeout=MILLISECONDS)
        yield browser
        browser.close()


class Site:
    """A running Airflow with the example DAGs, and the sandbox that its ``emnify_default`` leads to."""

    def __init__(self, airflow: Any, sandbox: Any) -> None:
        self.airflow = airflow
        self.sandbox = sandbox
        self.url: str = airflow.url
        self.request = airflow.request
        login = {"username": airflow.username, "password": airflow.password}
        self.cookie = {
            "name": "_token",
            "value": airflow.request("POST", "/auth/token", login)["access_token"],
            "url": airflow.url,
        }

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, for three minutes at most, while everything still runs."""
        self.airflow.wait(condition, what, 180)


@pytest.fixture(scope="session")
def site(browser: Browser) -> Iterator[Site]:
    """Devices whose SIMs bill without use; what is activated comes online when the clock has moved on."""
    sys.path.append(str(ROOT / "dev"))
    from local_airflow import LocalAirflow
    from local_sandbox import LocalSandbox

    with LocalAirflow(lambda line: None) as airflow:
        flags = ("--scenario", "idle-sims", "--events", "100", "--online-after", "3600")
        sandbox = LocalSandbox(airflow.processes, airflow.home, *flags)
        airflow.start(sandbox.connection)
        airflow.wait_until_ready(300)
        for dag_id in ("onboard", "cost_guard", "on_device_sms"):
            airflow.wait_for_dag(dag_id, 120)
        yield Site(airflow, sandbox)
    sys.path.remove(str(ROOT / "dev"))


@pytest.fixture
def window(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    """A window that asks nothing of the internet."""
    window = Window(browser, tmp_path / "received.har")
    yield window
    window.close()
    assert window.hosts <= LOOPBACK


@pytest.fixture
def secrets(site: Site) -> list[str]:
    """What no page may show, and no answer to the browser may have; a test adds its own."""
    return [site.sandbox.application_token]


@pytest.fixture
def page(site: Site, secrets: list[str], browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of Airflow's, as its administrator sees it, that never gets to see a secret."""
    window = Window(browser, tmp_path / "received.har")
    window.context.add_cookies([site.cookie])  # type: ignore[list-item]
    yield window.page
    window.close()
    assert window.hosts <= LOOPBACK
    assert not window.leaks(secrets)


@pytest.fixture(scope="session")
def picture(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Take a picture of a page for the docs, where ``--screenshots`` asks for it."""
    wanted = request.config.getoption("--screenshots", default=False)

    def take(of: Page | Locator, name: str, **options: Any) -> None:
        if wanted:
            IMAGES.mkdir(exist_ok=True)
            window = of if hasattr(of, "mouse") else of.page
            window.mouse.move(0, 0)  # nothing is pointed at
            (IMAGES / f"{name}.png").write_bytes(of.screenshot(animations="disabled", **options))

    return take
