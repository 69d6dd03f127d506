"""emnify's lookups that do not change, as enums: statuses, severities, connectivity.

``X.parse(value)`` takes the enum, its name in any spelling, its number, or the number as a string, so that
an argument can be written the way its writer knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum, IntEnum, StrEnum
from functools import lru_cache
from typing import Any, Self

_PROPER = {"Sim": "SIM", "Sms": "SMS", "Cloud": "Cloud", "Connect": "Connect"}


@lru_cache(1024)
def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).upper()


def _refuse(value: Any, kind: type[Enum], allowed: Iterable[Enum]) -> ValueError:
    words = [_PROPER.get(word, word.lower()) for word in re.findall("[A-Z][a-z]+", kind.__name__)]
    names = ", ".join(member.name.lower() for member in allowed)
    return ValueError(f"{value!r} is not a valid {' '.join(words)}; allowed: {names}")


class Choice(Enum):
    """A lookup of emnify, of which an argument names a member."""

    @classmethod
    def parse(cls, value: Any, allowed: Sequence[Self] = ()) -> Self:
        """Return the member that ``value`` means.

        :param value: The enum, its name (any case; blanks, hyphens and underscores alike), its number, or
            that number as a string.
        :param allowed: The members that can be given; all without.
        :raises ValueError: for anything else; the message lists what is allowed.
        """
        text = _plain(value) if isinstance(value, str) else str(value)
        named = value if isinstance(value, cls) else cls.__members__.get(text)
        if named is not None and (not allowed or named in allowed):
            return named
        allowed = allowed or tuple(cls)
        for member in allowed:
            if text == str(member.value) and not isinstance(value, (bool, float, Choice)):
                return member
        raise _refuse(value, cls, allowed)


class Lookup(Choice, IntEnum):
    """A numbered emnify lookup."""

    @property
    def label(self) -> str:
        """The name as emnify writes it, for example ``Activation pending``."""
        return self.name.replace("_", " ").capitalize()


class EndpointStatus(Lookup):
    """Status of an endpoint (device)."""

    ENABLED = 0
    DISABLED = 1
    DELETED = 2


class SimStatus(Lookup):
    """Status of a SIM. An activated SIM is billed, also on a disabled endpoint."""

    ISSUED = 0
    ACTIVATED = 1
    SUSPENDED = 2
    DELETED = 3
    FACTORY_TEST = 4

    def may_become(self, target: SimStatus) -> bool:
        """Tell whether emnify lets a SIM go from this status to ``target``."""
        return self == target or target in _SIM_TRANSITIONS[self]


_SIM_TRANSITIONS: dict[SimStatus, frozenset[SimStatus]] = {
    SimStatus.ISSUED: frozenset({SimStatus.ACTIVATED, SimStatus.FACTORY_TEST}),
    SimStatus.ACTIVATED: frozenset({SimStatus.SUSPENDED}),
    SimStatus.SUSPENDED: frozenset({SimStatus.ACTIVATED}),
    SimStatus.DELETED: frozenset(),
    SimStatus.FACTORY_TEST: frozenset({SimStatus.ACTIVATED}),
}


class UserStatus(Lookup):
    """Status of a user account."""

    ACTIVATION_PENDING = 0
    ACTIVE = 1
    SUSPENDED = 2


class SmsStatus(Lookup):
    """Status of a short message."""

    PENDING = 1
    IN_PROGRESS = 2
    BUFFERED = 3
    DELIVERED = 4
    FAILED = 5
    EXPIRED = 6
    CANCELED = 7


class EventSeverity(Lookup):
    """Severity of an event."""

    INFO = 0
    WARN = 1
    CRITICAL = 2


class EventSource(Lookup):
    """Where an event comes from."""

    NETWORK = 0
    POLICY_CONTROL = 1
    API = 2


class EventType(Lookup):
    """Type of an event; https://docs.emnify.com/system-events/event-types."""

    GENERIC = 0
    UPDATE_LOCATION = 1
    UPDATE_GPRS_LOCATION = 2
    CREATE_PDP_CONTEXT = 3
    UPDATE_PDP_CONTEXT = 4
    DELETE_PDP_CONTEXT = 5
    USER_AUTHENTICATION_FAILED = 6
    APPLICATION_AUTHENTICATION_FAILED = 7
    SIM_ACTIVATION = 8
    SIM_SUSPENSION = 9
    SIM_DELETION = 10
    ENDPOINT_BLOCKED = 11
    ORGANISATION_BLOCKED = 12
    SUPPORT_ACCESS = 13
    MULTI_FACTOR_AUTHENTICATION = 14
    PURGE_LOCATION = 15
    PURGE_GPRS_LOCATION = 16
    QUOTA_THRESHOLD_REACHED = 18
    QUOTA_USED_UP = 19
    SMS_QUOTA_THRESHOLD_REACHED = 20
    SMS_QUOTA_USED_UP = 21
    ORGANISATION_UPDATED = 31
    USER_VERIFIED = 41
    ENDPOINT_ENABLED = 42
    ENDPOINT_DISABLED = 43
    SIM_FACTORY_TEST = 45
    USER_DELETED = 46
    SIM_REGISTRATION = 48
    DEVICE_OFFLINE = 49
    SIM_RELEASED = 50
    SIM_ASSIGNED = 51
    DATA_QUOTA_ENABLED = 52
    DATA_QUOTA_DISABLED = 53
    SMS_QUOTA_ENABLED = 54
    SMS_QUOTA_DISABLED = 55
    DATA_QUOTA_ASSIGNED = 56
    DATA_QUOTA_DELETED = 57
    SMS_QUOTA_ASSIGNED = 58
    SMS_QUOTA_DELETED = 59
    DATA_QUOTA_EXPIRED = 60
    RESET_CONNECTIVITY = 68
    SIM_MIGRATION = 69

    @property
    def label(self) -> str:
        """The name as emnify writes it."""
        return _EVENT_NAMES.get(self) or re.sub(
            r"\b(Sim|Sms|gprs)\b", lambda word: word[0].upper(), super().label
        )


_EVENT_NAMES = {
    EventType.CREATE_PDP_CONTEXT: "Create PDP Context",
    EventType.UPDATE_PDP_CONTEXT: "Update PDP Context",
    EventType.DELETE_PDP_CONTEXT: "Delete PDP Context",
    EventType.SUPPORT_ACCESS: "Support Access",
    EventType.MULTI_FACTOR_AUTHENTICATION: "Multi-factor Authentication",
    EventType.SIM_RELEASED: "SIM Released",
    EventType.SIM_ASSIGNED: "SIM Assigned",
}


class QuotaStatus(Lookup):
    """Status of a data or SMS quota."""

    ACTIVE = 1
    EXHAUSTED = 2
    EXPIRED = 3


class DataStreamStatus(Lookup):
    """Status of a data stream."""

    RUNNING = 1
    PAUSED = 2
    ERROR = 3
    PENDING = 4


class ApplicationTokenStatus(Lookup):
    """Status of an application token. Auth tokens issued from it outlive a revocation."""

    ACTIVATED = 0
    REVOKED = 1


class CloudConnectStatus(Lookup):
    """Status of a Cloud Connect attachment."""

    PENDING_CUSTOMER_ACTION = 1
    PENDING_AWS_ACTIVATION = 2
    PENDING_EGN_ACTIVATION = 3
    PENDING_CRG_ACTIVATION = 4
    ACTIVE = 5
    DEACTIVATION_PENDING = 6
    DEACTIVATED = 7
    ROLLING_BACK = 8


class Word(Choice, StrEnum):
    """A lookup whose values are words."""

    @property
    def label(self) -> str:
        """The word as emnify writes it."""
        return self.value


class Connectivity(Word):
    """Connectivity of an endpoint, as the network sees it."""

    ATTACHED = "ATTACHED"
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    BLOCKED = "BLOCKED"


class OperationState(Word):
    """How far an eUICC or SIM operation is. emnify says so in its dates, errors and counts."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    PARTLY_FAILED = "PARTLY_FAILED"
    FAILED = "FAILED"


class SimBatchState(Word):
    """What the validation of a SIM batch says."""

    REGISTRABLE = "REGISTRABLE"
    REGISTERED = "REGISTERED"
    INVALID = "INVALID"


class EventPresence(Word):
    """Whether an event that is waited for has happened."""

    NO_EVENT_YET = "NO EVENT YET"
    EVENT_SEEN = "EVENT SEEN"


class SmsReply(Word):
    """Whether an endpoint has sent an SMS that is waited for."""

    NO_REPLY_YET = "NO REPLY YET"
    REPLIED = "REPLIED"


class Silence(Word):
    """For how long an endpoint has had no data session, as its connectivity and its events say."""

    ONLINE = "ONLINE"
    ONLINE_LATELY = "ONLINE LATELY"
    NOT_ONLINE = "NOT ONLINE"
