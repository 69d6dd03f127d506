"""Auth tokens that the processes of a host share: ``token_cache: host``.

Usually each task authenticates once, and emnify allows an address 100 authentications in five minutes. Where
more tasks than that start, they can share tokens through a file of this user's. It is encrypted with a key
that is made from the credential, so that it opens nothing to anyone who does not hold the credential already;
of a user's password it is made slowly (scrypt), so that passwords cannot be tried on the file.
A rejection is shared too, so that a hundred tasks with a revoked token do not lock the account.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.secrets.private_folder import PrivateFolder

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from airflow_provider_emnify.api.transport.credentials import Credentials

log = one_line_log(__name__)

_LOCK_WAIT = 120.0  # seconds for another process that is authenticating
_LOCKED_OUT = 300.0  # seconds that a rejection is remembered: as long as emnify locks an account
BRIEF_LOCK_WAIT = 1.0  # seconds, for a caller that can do without
_ACCEPTED = 60.0  # seconds for which many may authenticate at once after a credential was accepted


@dataclass(frozen=True)
class Cached:
    """What another process has left.

    :param age: Seconds since it arrived.
    :param token: An auth token.
    :param rejection: Or why the credential was rejected.
    :param lost: Or how many logins of a user were sent, one after another, whose outcome is unknown.
    """

    age: float
    token: str | None = field(default=None, repr=False)
    rejection: str | None = None
    lost: int = 0


class TokenCache:
    """The file of one credential at one API.

    :param credentials: The credential.
    :param host: The API.
    :param directory: Where it lies; by default a directory of this user's in the temporary one.
    :param keeps_tokens: False: it says only whether the credential was accepted lately. Then one process at a
        time tries a credential of which nothing is known, and all at once one that was accepted.
    :param waits: Whether to wait for a process that authenticates. A caller that can do without it does not.
    """

    def __init__(
        self,
        credentials: Credentials,
        host: str,
        directory: Path | None = None,
        *,
        keeps_tokens: bool = True,
        waits: bool = True,
    ) -> None:
        self.keeps_tokens = keeps_tokens
        self._waits = waits
        self._folder = PrivateFolder("emnify-tokens", directory)
        identity = f"{host} {credentials.identity} {credentials.workspace_id}"
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self._name = name if keeps_tokens else f"{name}-accepted"
        self._secret = f"{host}\n{json.dumps(credentials.secrets)}".encode()
        self._is_password = credentials.password is not None
        self._has_failed = False

    @cached_property
    def _fernet(self) -> Fernet:
        from cryptography.fernet import Fernet

        if self._is_password:  # a person's password can be guessed: each guess is to cost a tenth of a second
            key = hashlib.scrypt(
                self._secret, salt=self._name.encode(), n=2**15, r=8, p=1, maxmem=2**26, dklen=32
            )
        else:
            key = hashlib.sha256(self._secret).digest()
        return Fernet(base64.urlsafe_b64encode(key))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file while a token is got, so that one process gets it for all.

        A cache that cannot be used costs a warning, not the task.

        :raises OSError: for who does not wait: another process has it, or the file cannot be used.
        """
        with contextlib.ExitStack() as stack:
            if self.keeps_tokens or not self._is_known():
                seconds = _LOCK_WAIT if self._waits else BRIEF_LOCK_WAIT
                try:
                    stack.enter_context(self._folder.lock(f"{self._name}.lock", seconds))
                except OSError as error:
                    if not self._waits:
                        raise
                    self._warn(error)
            yield

    def _is_known(self) -> bool:
        """Tell whether the credential is known to be rejected, or accepted lately."""
        known = self.load()
        return known is not None and bool(known.rejection or (known.age < _ACCEPTED and not known.lost))

    def load(self) -> Cached | None:
        """Return what another process has left, if it is any good."""
        from cryptography.fernet import InvalidToken

        try:
            said = json.loads(self._fernet.decrypt(self._folder.read(self._name)))
            age, lost = time.time() - float(said["at"]), int(said.get("lost", 0))
        except (OSError, InvalidToken, ValueError, KeyError, TypeError):
            return None
        if age < 0 or ((said.get("rejection") or lost) and age > _LOCKED_OUT):
            return None
        return Cached(age, said.get("token"), said.get("rejection"), lost)

    def store(self, *, token: str | None = None, rejection: str | None = None, lost: int = 0) -> None:
        """Leave a token, a rejection, or the number of lost logins for other processes."""
        token = token if self.keeps_tokens else None
        what = {"at": time.time(), "token": token, "rejection": rejection, "lost": lost}
        said = json.dumps(what).encode()
        try:
            self._folder.write(self._name, self._fernet.encrypt(said))
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._has_failed:
            log.warning("The token cache cannot be used (%s); this task authenticates by itself", error)
        self._has_failed = True
