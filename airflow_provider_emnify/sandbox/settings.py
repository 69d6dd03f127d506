"""How a sandbox is set up and behaves: each setting with its default, declared once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, Literal, get_args

from airflow_provider_emnify.sandbox.http.limits import Limit

TokenForm = Literal["jwt", "no-exp", "opaque"]
UnauthorizedForm = Literal["gateway", "api"]
TOKEN_FORMS: tuple[str, ...] = get_args(TokenForm)
UNAUTHORIZED_FORMS: tuple[str, ...] = get_args(UnauthorizedForm)
CREATE_ANSWERS = ("body", "location", "ok")
MOST = 5_000_000
"""How many of each kind there are from the start at most; a million endpoints take 0.6 GB of memory."""
_COUNTS = ("endpoints", "spare_sims", "events", "euiccs")
_DELAYS = ("online", "sms_delivered", "operations", "streams_running", "attachments_active")


@dataclass(repr=False, eq=False)
class Settings:
    """The arguments of :class:`~airflow_provider_emnify.sandbox.Sandbox`, which says what each means."""

    endpoints: int = 0
    _: KW_ONLY
    spare_sims: int = 100
    events: int = 0
    euiccs: int = 0
    limits: bool | Iterable[Limit] = True
    retry_after: bool = False
    token_life: float = 14_400.0
    token_form: TokenForm = "jwt"  # noqa: S105 - a form, not a secret
    unauthorized: UnauthorizedForm = "gateway"
    username: str = "admin@example.com"
    password: str = "sandbox-password"  # noqa: S105 - of an account that exists in this process only
    mfa: bool = False
    mfa_code: str = "123456"
    factory_test_mode: bool = False
    online_after: float = 3.0
    sms_delivered_after: float = 2.0
    operations_after: float = 5.0
    streams_running_after: float = 2.0
    attachments_active_after: float = 5.0
    activate_users_after: float | None = None
    create_answer: str = "body"
    quirks: bool = False
    application_token: InitVar[str | None] = None
    seed: int | None = None
    start: InitVar[float | None] = None
    host: str = "127.0.0.1"
    allow_hosts: Iterable[str] = ()
    port: int = 0
    log_size: int | None = None

    def __post_init__(self, application_token: str | None, start: float | None) -> None:
        for name in (*_COUNTS, *(f"{what}_after" for what in _DELAYS)):
            value: Any = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, but is {value!r}")
            if name in _COUNTS and value > MOST:
                raise ValueError(
                    f"{name} must not be above {MOST}, all of which are in memory, but is {value!r}"
                )
        if not self.token_life > 0:
            raise ValueError(f"token_life must be more than 0 seconds, but is {self.token_life!r}")
        if self.create_answer not in CREATE_ANSWERS:
            allowed = ", ".join(CREATE_ANSWERS)
            raise ValueError(f"create_answer is one of {allowed}, not {self.create_answer!r}")
