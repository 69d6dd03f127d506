"""Multi-factor authentication: keys and trusted devices of users."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Row, Rows, TextId

_ACTIVE = 1


class Mfa(Resource):
    """Multi-factor authentication of users, as ``client.mfa``."""

    @declared("POST", "/api/v1/user/mfa", answer="created", secret=True, ids=int)
    def create_key(self, *, type_id: Id, password: str) -> Row:
        """Create an MFA key for the client's user, to be activated with :meth:`activate_key`.

        See https://docs.emnify.com/developers/api/authentication/post-mfa

        :param type_id: Type of the key, see :meth:`types`.
        :param password: The user's password.
        :returns: The key with ``id``, ``secret_key`` and ``otpauth``, which are shown this once and secret.
        :raises EmnifyConflictError: if the user has one already.
        """

    @operation("PATCH", "/api/v1/user/mfa/{key_id}", secret=True, idempotent=False)
    def activate_key(self, call: Call, key_id: Id, *, code: str) -> None:
        """Activate an MFA key of the client's user, who then needs it at each login.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-by-id-patch

        :param key_id: Id of the key.
        :param code: The six digits that an authenticator app makes of the key, good for 30 seconds.
        """
        call.request(json={"status": {"id": _ACTIVE}, "code": code})

    @declared("DELETE", "/api/v1/user/{user_id}/mfa/{key_id}")
    def delete_key(self, user_id: TextId, key_id: Id) -> None:
        """Delete an MFA key of a user.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-by-user-id-and-key-id-delete

        :param user_id: Id of the user; ``my`` is the client's.
        :param key_id: Id of the key.
        """

    @declared("GET", "/api/v1/user/mfa/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that an MFA key can have.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-status-get
        """

    @declared("GET", "/api/v1/user/mfa/type", ids=int)
    def types(self) -> Rows:
        """Return the types of MFA keys.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-type-get
        """

    @declared("GET", "/api/v1/user/{user_id}/mfa/trusted_device", ids=int)
    def trusted_devices(self, user_id: TextId = "my") -> Listing:
        """List the devices from which a user logs in without MFA.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-trusted-device-by-user-id-get

        :param user_id: Id of the user; ``my`` is the client's.
        """

    @declared("DELETE", "/api/v1/user/{user_id}/mfa/trusted_device/{device_id}")
    def delete_trusted_device(self, user_id: TextId, device_id: Id) -> None:
        """Trust a device no longer.

        See https://docs.emnify.com/developers/api/authentication/user-mfa-trusted-device-by-user-id-and-device-id-delete

        :param user_id: Id of the user; ``my`` is the client's.
        :param device_id: Id of the device.
        """
