"""``cost_guard`` asks a person on Airflow's page, and does what the person says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.ui.conftest import Site

pytestmark = [pytest.mark.ui, pytest.mark.system, pytest.mark.timeout(400)]

SECONDS = 180
SIM = re.compile(r"SIM \d{7} \(\d{19}\): disabled endpoint")


def suspended(site: Site) -> int:
    return int(site.sandbox.overview()["fleet"]["SIMs"].get("Suspended", 0))


def test_sims_are_suspended_once_a_person_has_approved_it(
    site: Site, page: Page, picture: Callable[..., None]
) -> None:
    page.goto(f"{site.url}/dags/cost_guard")
    page.get_by_role("button", name="Trigger Dag").click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger", exact=True).click()
    page.get_by_text("Dag run has been successfully triggered").first.wait_for()

    asked = "/api/v2/dags/cost_guard/dagRuns/~/hitlDetails"
    site.wait(lambda: bool(site.request("GET", asked)["hitl_details"]), "the question of cost_guard")
    page.goto(f"{site.url}/required_actions")
    page.get_by_role("link", name="Suspend 8 SIMs?").click()
    page.get_by_text("A suspended SIM is free from the next month on").wait_for()
    assert page.get_by_role("listitem").filter(has_text=SIM).count() == 8
    assert suspended(site) == 0
    picture(page, "approval", clip={"x": 0, "y": 0, "width": 1280, "height": 620})

    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Response received at").wait_for()
    page.goto(page.url.replace("/tasks/approve/required_actions", "/tasks/suspend"))
    page.get_by_text(re.compile("^Success$")).first.wait_for(timeout=SECONDS * 1000)
    assert suspended(site) == 8
