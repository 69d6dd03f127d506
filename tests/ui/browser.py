"""A window of the browser, and everything that it has received: to see that no secret is in it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SIZE = {"width": 1280, "height": 800}
MILLISECONDS = 60_000  # for anything to appear: the machine may be busy
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INPUTS = "() => [...document.querySelectorAll('input, textarea')].map((one) => one.value).join('\\n')"
JWT = re.compile(r"eyJ[\w-]{8,}\.(eyJ[\w-]{8,})\.[\w-]+")


def chromium() -> str | None:
    """Find Debian's Chromium, or another of its kind."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Window:
    """A window with a profile of its own.

    :param browser: the browser that shows it
    :param record: file for what it receives
    """

    def __init__(self, browser: Browser, record: Path) -> None:
        self._record = record
        self._texts: list[str] = []
        self.hosts: set[str] = set()
        self.context = browser.new_context(
            viewport=SIZE,  # type: ignore[arg-type]
            record_har_path=record,
            record_har_content="embed",
            record_har_url_filter=re.compile(r"^(?!.*/static/)"),  # Airflow's own programs: some megabytes
        )
        self.context.set_default_timeout(MILLISECONDS)
        self.context.on("request", lambda request: self._note(request.url))
        self.page: Page = self.context.new_page()

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"blob", "data"}:
            self.hosts.add(parts.hostname or "")

    def close(self) -> None:
        """Keep what the pages show in the end, and close them; a second time does nothing."""
        if self._texts:
            return
        for page in self.context.pages:
            self._texts += [page.url, page.content(), page.evaluate(INPUTS)]
        self.context.close()
        self._texts += received(json.loads(self._record.read_text()))

    def leaks(self, secrets: Iterable[str]) -> list[str]:
        """Tell where a closed window has had a secret: one of these, or a token that is not Airflow's own."""
        return [found for text in self._texts for found in leaks(text, secrets)]


def received(har: dict[str, Any]) -> Iterator[str]:
    """Give every URL, header and body that came."""
    for entry in har["log"]["entries"]:
        response = entry["response"]
        yield entry["request"]["url"]
        yield from (header["value"] for header in response["headers"])
        content = response["content"]
        text = content.get("text", "")
        if content.get("encoding") == "base64":
            text = base64.b64decode(text).decode(errors="replace")
        yield text


def leaks(text: str, secrets: Iterable[str]) -> Iterator[str]:
    """Find secrets in a text, each with what stands before it."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
            if (at := text.find(form)) >= 0:
                yield f"{text[max(0, at - 150) : at]}<SECRET>"
    for match in JWT.finditer(text):
        payload = match[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if claims.get("aud") != "apache-airflow":  # the session of the browser's own user
            yield f"{text[max(0, match.start() - 150) : match.start()]}<JWT of {claims.get('iss')}>"
