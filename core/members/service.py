"""Members: the one door for everyone else (sign-in and sessions, profile, consents, addresses, the staff's view)."""

from __future__ import annotations

from core.members.addresses import add_address, change_address, get_address, list_addresses, remove_address
from core.members.directory import extras, get_in_scope, list_members, set_state
from core.members.phone_login import send_login_code
from core.members.profile import get_member, give_consent, identities, list_consents, update_profile
from core.members.sessions import list_sessions, revoke_other_sessions, revoke_session, session, sign_in, sign_out

__all__ = (
    "add_address", "change_address", "extras", "get_address", "get_in_scope", "get_member", "give_consent",
    "identities", "list_addresses", "list_consents", "list_members", "list_sessions", "remove_address",
    "revoke_other_sessions", "revoke_session", "send_login_code", "session", "set_state", "sign_in", "sign_out",
    "update_profile",
)  # fmt: skip
