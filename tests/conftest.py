"""What all tests share: a throwaway Airflow home, a sandbox, and guards against what is left behind."""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
import shutil
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from asgiref.sync import sync_to_async

from tests.api_facts import document
from tests.masker import forget_secrets
from tests.openapi import OpenApi

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox

# Airflow reads these when it is first imported. Each process has a home of its own, never the user's.
_HOME = tempfile.mkdtemp(prefix="emnify-")
_OWNER = os.getpid()
# What the tests and what they test keep for a while goes there too, and goes away with it.
os.environ["TMPDIR"] = tempfile.tempdir = _HOME
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "True")

_ALLOW = "allow_openapi_violations"
_GRACE_SECONDS = 2.0


def _remove_home() -> None:
    if os.getpid() == _OWNER:  # not in a child that was forked
        shutil.rmtree(_HOME, ignore_errors=True)


atexit.register(_remove_home)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_ALLOW}: sends requests on purpose that the OpenAPI forbids")
    config.addinivalue_line("markers", "fleet(n, **settings): what the fixture ``fleet`` is made of")
    # The same cases in every run, and none that fails because the machine has other things to do.
    hypothesis.settings.register_profile("tests", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("tests")


def pytest_unconfigure() -> None:
    _remove_home()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect eighteen thousand tests without searching for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _thread_of_asgiref() -> None:
    """Airflow reads connections in asgiref's one thread for all, which stays until the process ends."""
    asyncio.run(sync_to_async(int)())


@pytest.fixture(scope="session")
def openapi() -> OpenApi:
    """What emnify's OpenAPI says of each operation."""
    return OpenApi(document())


@pytest.fixture
def make_sandbox(request: pytest.FixtureRequest, openapi: OpenApi) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes as the test needs them; the arguments are those of ``Sandbox``.

    Connections to them count the rate limits in memory: no test shares them with another process.
    At the end each is stopped, and every request that it has seen is held against the OpenAPI.
    """
    from airflow_provider_emnify.sandbox import Sandbox

    class TestedSandbox(Sandbox):
        @property
        def airflow_connection(self) -> str:
            connection = json.loads(super().airflow_connection)
            extra = {"rate_limit_store": "memory", **(connection.get("extra") or {})}
            return json.dumps({**connection, "extra": extra})

    started: list[Sandbox] = []

    def make(endpoints: int = 0, **settings: Any) -> Sandbox:
        sandbox = TestedSandbox(endpoints, **settings)
        started.append(sandbox)
        return sandbox.start()

    yield make
    for sandbox in started:
        sandbox.stop()
    failures = [repr(failure) for sandbox in started for failure in sandbox.failures]
    assert not failures, "the sandbox itself failed"
    if request.node.get_closest_marker(_ALLOW) is None:
        violations = [
            violation
            for sandbox in started
            for entry in sandbox.log
            for violation in openapi.request_violations(
                entry.method, entry.template, entry.path, entry.query, entry.body
            )
        ]
        assert not violations, "requests break the OpenAPI:\n" + "\n".join(dict.fromkeys(violations))


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """An emnify without devices, with its rate limits on, over real HTTP."""
    return make_sandbox()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[EmnifyClient]:
    """A client of the sandbox that keeps its own count of the limits."""
    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits

    credentials = Credentials(application_token=sandbox.application_token)
    with EmnifyClient(credentials, base_url=sandbox.url, limits=Limits("memory")) as client:
        yield client


@pytest.fixture
def make_fleet(
    make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Sandbox]:
    """Make a sandbox with devices and without rate limits, to which the connection ``emnify_default`` leads.

    ``make_fleet(n, *, retries=True, ago=0.0, prepare=None, **settings)``: the number of endpoints; whether
    requests are sent again; how many seconds ago it began; a function that is given the sandbox before the
    test; settings of ``Sandbox``.
    """
    from tests.fleets import connection

    def make(
        endpoints: int = 0,
        *,
        retries: bool = True,
        ago: float = 0.0,
        prepare: Callable[..., Any] | None = None,
        **settings: Any,
    ) -> Sandbox:
        start = time.time() - ago if ago else None
        sandbox = make_sandbox(endpoints, **{"limits": False, "start": start, **settings})
        if prepare is not None:
            prepare(sandbox)
        extra = {} if retries else {"max_retries": 0}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", connection(sandbox, **extra))
        return sandbox

    return make


@pytest.fixture
def fleet(request: pytest.FixtureRequest, make_fleet: Callable[..., Sandbox]) -> Sandbox:
    """The fleet of the test's mark, ``pytest.mark.fleet(n, **settings)``, made by ``make_fleet``."""
    mark = request.node.get_closest_marker("fleet")
    assert mark is not None, "mark the module: pytestmark = pytest.mark.fleet(...)"
    return make_fleet(*mark.args, **mark.kwargs)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no time for what sleeps."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def sandbox_connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, and the connection ``emnify_default`` to it in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    return sandbox


def _lasting(threads: set[threading.Thread]) -> set[threading.Thread]:
    return {
        thread
        for thread in threads
        if thread.is_alive() and (not thread.daemon or thread.name.startswith("emnify-sandbox"))
    }


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread running which would keep the process alive, or a sandbox."""
    before = set(threading.enumerate())
    yield
    deadline = time.perf_counter() + _GRACE_SECONDS
    left = _lasting(set(threading.enumerate()) - before)
    for thread in left:
        thread.join(max(0.0, deadline - time.perf_counter()))
    assert not _lasting(left), f"threads are left running: {sorted(thread.name for thread in _lasting(left))}"


@pytest.fixture(autouse=True)
def masked_secrets_are_forgotten() -> Iterator[None]:
    """Empty Airflow's masker: it compiles all secrets anew for each one more, and tests make thousands."""
    yield
    forget_secrets()
