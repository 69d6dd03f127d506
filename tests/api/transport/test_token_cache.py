"""Auth tokens that processes of a host share: one authentication, no plain text, no second rejection."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from airflow_provider_emnify.api import Credentials, EmnifyAuthenticationError
from airflow_provider_emnify.api.transport.token_cache import TokenCache
from tests.api.support import (
    APPLICATION_TOKEN,
    AUTHENTICATE,
    THING,
    URL,
    Clock,
    make_client,
    make_token,
    threaded_server,
    user_credentials,
)

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    import requests_mock as rm

    from airflow_provider_emnify.api import EmnifyClient

CREDENTIALS = Credentials(application_token=APPLICATION_TOKEN)


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    tokens = [{"json": {"auth_token": make_token(issued=1_700_000_000 + n)}} for n in range(9)]
    requests_mock.post(AUTHENTICATE, tokens)
    requests_mock.get(URL + THING, json={"id": 7})
    return requests_mock


def authentications(api: rm.Mocker) -> int:
    return sum(request.path == "/api/v1/authenticate" for request in api.request_history)


def sharing(directory: Path, credentials: Credentials = CREDENTIALS, **options: Any) -> EmnifyClient:
    cache = TokenCache(credentials, options.get("base_url", URL), directory)
    return make_client(credentials, token_cache=cache, **options)


def test_many_tasks_authenticate_once(api: rm.Mocker, tmp_path: Path) -> None:
    for _ in range(5):
        sharing(tmp_path).request("GET", THING)
    assert authentications(api) == 1


def test_tasks_that_begin_together_authenticate_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(method: str, path: str, headers: Message) -> tuple[int, object]:
        del headers
        asked.append(f"{method} {path}")
        return 200, {"auth_token": make_token(), "id": 7}

    with threaded_server(answer) as url:
        clients = [sharing(tmp_path, base_url=url) for _ in range(6)]
        threads = [threading.Thread(target=client.request, args=("GET", THING)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    assert asked.count("POST /api/v1/authenticate") == 1
    assert len(asked) == 7


def test_a_token_that_ages_in_the_cache_is_renewed_in_time(api: rm.Mocker, tmp_path: Path) -> None:
    with time_machine.travel(1_700_000_000, tick=False) as now:
        sharing(tmp_path).request("GET", THING)
        now.shift(14_400 - 130)
        sharing(tmp_path).request("GET", THING)
        assert authentications(api) == 1
        now.shift(11)
        sharing(tmp_path).request("GET", THING)
        assert authentications(api) == 2


def test_a_refused_token_is_replaced_for_all(api: rm.Mocker, tmp_path: Path) -> None:
    first, second = sharing(tmp_path), sharing(tmp_path)
    first.request("GET", THING)
    second.request("GET", THING)
    api.get(
        URL + THING, [{"status_code": 401}, {"json": {"id": 7}}, {"status_code": 401}, {"json": {"id": 7}}]
    )
    first.request("GET", THING)
    second.request("GET", THING)  # is refused too, and takes the token that the first one got
    assert authentications(api) == 2


def test_a_rejection_is_shared_for_as_long_as_an_account_is_locked(api: rm.Mocker, tmp_path: Path) -> None:
    api.post(AUTHENTICATE, status_code=401)
    with time_machine.travel(1_700_000_000, tick=False) as now:
        for _ in range(4):
            with pytest.raises(EmnifyAuthenticationError, match="rejected"):
                sharing(tmp_path).authenticate()
        assert authentications(api) == 1
        now.shift(301)
        with pytest.raises(EmnifyAuthenticationError, match="rejected"):
            sharing(tmp_path).authenticate()
        assert authentications(api) == 2


def test_a_token_that_comes_from_the_future_is_not_used(api: rm.Mocker, tmp_path: Path) -> None:
    with time_machine.travel(1_700_003_600, tick=False):
        sharing(tmp_path).request("GET", THING)
    with time_machine.travel(1_700_000_000, tick=False):  # the clock was set back: how old it is is unknown
        sharing(tmp_path).request("GET", THING)
    assert authentications(api) == 2


def test_other_credentials_and_other_hosts_share_nothing(api: rm.Mocker, tmp_path: Path) -> None:
    other_host = "https://other.example"
    api.post(f"{other_host}/api/v1/authenticate", json={"auth_token": make_token()})
    sharing(tmp_path).authenticate()
    sharing(tmp_path, Credentials(application_token="another")).authenticate()
    sharing(tmp_path, base_url=other_host).authenticate()
    assert authentications(api) == 3


def test_the_file_opens_nothing_to_who_does_not_hold_the_credential(api: rm.Mocker, tmp_path: Path) -> None:
    client = sharing(tmp_path / "tokens")
    client.authenticate()
    token = client.transport.tokens.held
    assert token is not None
    files = [path for path in (tmp_path / "tokens").iterdir() if path.suffix != ".lock"]
    assert len(files) == 1
    content = files[0].read_bytes()
    assert token.value.encode() not in content
    assert APPLICATION_TOKEN.encode() not in content
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}"])
def test_a_damaged_file_is_as_none(api: rm.Mocker, tmp_path: Path, content: bytes) -> None:
    sharing(tmp_path).authenticate()
    for path in tmp_path.iterdir():
        if path.suffix != ".lock":
            path.write_bytes(content)
    sharing(tmp_path).request("GET", THING)
    assert authentications(api) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(
    api: rm.Mocker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert sharing(tmp_path / "file").request("GET", THING) == {"id": 7}
    assert "authenticates by itself" in caplog.text


def test_the_age_of_a_token_counts_by_the_clock_that_goes_forward(api: rm.Mocker, tmp_path: Path) -> None:
    clock = Clock()
    with time_machine.travel(1_700_000_000, tick=False) as now:
        sharing(tmp_path).authenticate()
        now.shift(10_000)
        client = sharing(tmp_path, clock=clock)
        client.request("GET", THING)
    clock.now += 4_400 - 121
    client.request("GET", THING)
    assert authentications(api) == 1
    clock.now += 2
    with time_machine.travel(1_700_014_281, tick=False):
        client.request("GET", THING)
    assert authentications(api) == 2


@pytest.mark.parametrize("trap", ["open to all", "a link", "a link to its file", "a pipe", "a second name"])
def test_a_folder_or_file_that_others_prepared_is_not_used(
    api: rm.Mocker, tmp_path: Path, caplog: pytest.LogCaptureFixture, trap: str
) -> None:
    folder, victim = tmp_path / "tokens", tmp_path / "victim"
    victim.write_text("as it was")
    sharing(folder).authenticate()
    file = next(path for path in folder.iterdir() if path.suffix == "")
    if trap == "open to all":
        folder.chmod(0o777)
    elif trap == "a link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        file.unlink()
        make = {"a link to its file": file.symlink_to, "a second name": file.hardlink_to}
        make.get(trap, lambda _: os.mkfifo(file))(victim)
    assert sharing(folder).request("GET", THING) == {"id": 7}
    assert authentications(api) == 2
    assert victim.read_text() == "as it was"
    assert "token" in caplog.text


def test_a_guess_at_a_password_is_slow_and_a_token_is_not_slowed(tmp_path: Path) -> None:
    def takes(credentials: Credentials) -> float:
        began = time.process_time()
        TokenCache(credentials, URL, tmp_path).store(token="x")
        return time.process_time() - began

    assert takes(user_credentials()) > 0.02
    assert takes(CREDENTIALS) < 0.02
