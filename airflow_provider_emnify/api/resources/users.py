"""Users: accounts, roles, invitation, activation, password."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, UserStatus
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Ids, Moment, Row, Rows, TextId


class Users(Resource):
    """The user accounts of an organisation, as ``client.users``."""

    @declared("GET", "/api/v1/user", paged=True, ids=int)
    def list(
        self,
        *,
        id: Id | None = None,
        status: UserStatus | str | int | None = None,
        name: str | None = None,
        username: str | None = None,
        organisation: int | str | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = None,
    ) -> Listing:
        """List user accounts, lazily.

        See https://docs.emnify.com/developers/api/user-management/user-per-page-sort-by-q-and-page-get

        :param id: Only the user of this id.
        :param status: Only users of this status: ``activation_pending``, ``active`` or ``suspended``.
        :param name: Only users of this name.
        :param username: Only the user of this username, which is an email address.
        :param organisation: Only users of this organisation.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, status, name, username,
            organisation, created. By ``id`` the newest come first.
        :param per_page: Rows a request.
        """

    @operation("POST", "/api/v1/user", ids=int)
    def create(
        self,
        call: Call,
        *,
        username: str,
        name: str,
        organisation_id: Id | None = None,
        role_ids: Ids | None = None,
    ) -> Row:
        """Create a user, who then gets an email with an activation link.

        A user is known by the username: when the answer is lost, it is looked up before it is sent again.

        See https://docs.emnify.com/developers/api/user-management/user-per-page-sort-by-q-and-page-post

        :param username: The user's email address.
        :param name: The user's name.
        :param organisation_id: The organisation, own or a direct child. Without it: the one of the caller.
        :param role_ids: Roles to assign, see :meth:`roles`. Without it: a default role.
        :returns: The user, with at least its ``id``.
        """
        return call.create(json=call.fields(), find=lambda: self._find(username), unique=True)

    def _find(self, username: str) -> Row | None:
        try:
            return self.get(username)
        except EmnifyNotFoundError:
            return None

    @declared("GET", "/api/v1/user/{user_id}", ids=int)
    def get(self, user_id: TextId) -> Row:
        """Return a user with its roles.

        See https://docs.emnify.com/developers/api/user-management/user-by-id-get

        :param user_id: Id or username.
        """

    @declared("PATCH", "/api/v1/user/{user_id}")
    def update(
        self,
        user_id: TextId,
        *,
        username: str | None = None,
        name: str | None = None,
        status: UserStatus | str | int | None = None,
    ) -> None:
        """Change a user; only what is given is changed.

        See https://docs.emnify.com/developers/api/user-management/user-by-id-patch

        :param user_id: Id of the user.
        :param username: New email address. The account must then be activated again.
        :param name: New name.
        :param status: ``active`` or ``suspended``; from ``activation_pending`` only ``suspended``.
        """

    @declared("DELETE", "/api/v1/user/{user_id}")
    def delete(self, user_id: TextId) -> None:
        """Delete a user of the own organisation or of a direct child.

        emnify calls this path deprecated in favour of one that its API description does not contain. To take
        a user out of one Workspace only, use ``client.workspaces.remove_user``.

        See https://docs.emnify.com/developers/api/user-management/user-by-id-delete

        :param user_id: Id of the user.
        """

    @declared("GET", "/api/v1/user/role", ids=int)
    def roles(self) -> Rows:
        """Return the roles that a user can have.

        See https://docs.emnify.com/developers/api/user-management/user-role-get
        """

    @declared("GET", "/api/v1/user/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that a user can have, see :class:`~airflow_provider_emnify.api.UserStatus`.

        See https://docs.emnify.com/developers/api/user-management/user-status-get
        """

    @declared("PUT", "/api/v1/user/{user_id}/role/{role_id}")
    def assign_role(self, user_id: TextId, role_id: Id) -> None:
        """Give a user a role.

        See https://docs.emnify.com/developers/api/user-management/user-role-by-id-and-role-id-put

        :param user_id: Id of the user.
        :param role_id: Id of the role, see :meth:`roles`.
        :raises EmnifyConflictError: if the user has it already.
        """

    @declared("DELETE", "/api/v1/user/{user_id}/role/{role_id}")
    def remove_role(self, user_id: TextId, role_id: Id) -> None:
        """Take a role from a user.

        See https://docs.emnify.com/developers/api/user-management/user-role-by-id-and-role-id-delete

        :param user_id: Id of the user.
        :param role_id: Id of the role.
        :raises EmnifyConflictError: if it is the user's last one.
        """

    @declared("GET", "/api/v1/user/{user_id}/role/permission", answer="either")
    def permissions(self, user_id: TextId = "my") -> Row:
        """Return what a user's roles permit.

        See https://docs.emnify.com/developers/api/user-management/user-role-permission-by-id-get

        :param user_id: Id of the user; ``my`` is the caller.
        """

    @declared("GET", "/api/v1/user/{user_id}/event", paged=True, ids=int, may_be_empty=True)
    def events(
        self,
        user_id: TextId,
        *,
        from_: Moment | None = None,
        until: Moment | None = None,
        type: int | str | Sequence[int | str] | None = None,
        source: EventSource | str | int | None = None,
        severity: EventSeverity | str | int | None = None,
        alert: bool | None = None,
        description: str | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = None,
    ) -> Listing:
        """List the events of a user, lazily. Of an unknown id there are none; that is no error.

        See https://docs.emnify.com/developers/api/user-management/user-event-page-per-page-sort-by-user-id-and-q-get

        :param user_id: Id of the user; ``my`` is the caller.
        :param from_: Begin of a time range in UTC, only together with ``until``.
        :param until: End of that range.
        :param type: Event type, or up to six; see ``client.events.types``.
        :param source: ``network``, ``policy_control`` or ``api``.
        :param severity: ``info``, ``warn`` or ``critical``.
        :param alert: Whether it is an alert.
        :param description: Text of the event.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one. By ``id`` the newest come first.
        :param per_page: Rows a request.
        """

    @operation("POST", "/api/v2/user/{user_id}/support_token", secret=True)
    def create_support_token(self, call: Call, user_id: TextId, *, role_id: Id | None = None) -> Row:
        """Return a bearer token to use the portal as that user. It leaves an event in their organisation.

        See https://docs.emnify.com/developers/api/user-management/user-by-id-v-2-create-support-token

        :param user_id: Id of the user.
        :param role_id: Role of the token: 1 is administrator, 3 observer.
        :returns: ``{"support_token": ...}``, a secret.
        """
        token: Row = call.request(json=given(role=None if role_id is None else str(role_id)))
        return token

    @declared("POST", "/api/v2/user/invitation", answer="created", ids=int)
    def invite(
        self, *, username: str, name: str, organisation_id: Id | None = None, role_ids: Ids | None = None
    ) -> Row:
        """Invite a user to a Workspace; a user who does not exist yet is created. No email is sent.

        See https://docs.emnify.com/developers/api/password-management-and-activation/user-v-2-invitation

        :param username: The user's email address.
        :param name: The user's name.
        :param organisation_id: The Workspace. Without it: the caller's default one.
        :param role_ids: Roles to assign, see :meth:`roles`. Without it: administrator.
        :returns: The user with organisation and roles.
        :raises EmnifyConflictError: if the user is in the Workspace already.
        """

    @operation("POST", "/api/v2/user/activation", secret=True)
    def accept_invitation(
        self, call: Call, *, activation_key: str, password: str | None = None, name: str | None = None
    ) -> None:
        """Accept an invitation to a Workspace.

        See https://docs.emnify.com/developers/api/workspaces/accept-user-invitation

        :param activation_key: The token from the invitation, a secret.
        :param password: Needed by a user who has none yet, unless the organisation has single sign-on.
        :param name: Name of the user.
        """
        call.request(json=given(activationKey=activation_key, password=password, name=name))

    @operation("POST", "/api/v1/user/activation", secret=True)
    def activate(self, call: Call, *, activation_key: str, password: str) -> None:
        """Activate the account of a user and set its password.

        See https://docs.emnify.com/developers/api/password-management-and-activation/user-activation-post

        :param activation_key: The key from the activation email, a secret.
        :param password: The user's new password.
        """
        call.request(json={"activationKey": activation_key, "password": password})

    @operation("POST", "/api/v1/user/activation_resend")
    def resend_activation(self, call: Call, *, username: str, recaptcha_response: str) -> None:
        """Send the activation email once more.

        See https://docs.emnify.com/developers/api/password-management-and-activation/user-activation-resend-post

        :param username: The user's email address.
        :param recaptcha_response: What Google reCAPTCHA gave for emnify's site key.
        """
        call.request(json={"username": username, "g-recaptcha-response": recaptcha_response})

    @declared("PATCH", "/api/v1/user/password", secret=True, idempotent=False)
    def change_password(self, *, old_password: str, new_password: str) -> None:
        """Change the password of the user whose credentials the client has.

        See https://docs.emnify.com/developers/api/password-management-and-activation/user-password-patch

        :param old_password: The password until now.
        :param new_password: The password from now on.
        """
