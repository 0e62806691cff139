"""Staff: the one door for everyone else (sign-in and sessions, people, roles, the audit trail)."""

from __future__ import annotations

from core.staff.audit import AuditFilter, audit, list_audit
from core.staff.people import create_owner, create_staff, get_staff, list_staff, set_password, update_staff
from core.staff.roles import create_role, delete_role, get_role, list_roles, update_role
from core.staff.sessions import change_password, session, sign_in, sign_out

__all__ = (
    "AuditFilter", "audit", "change_password", "create_owner", "create_role", "create_staff", "delete_role", "get_role",
    "get_staff", "list_audit", "list_roles", "list_staff", "session", "set_password", "sign_in", "sign_out",
    "update_role", "update_staff",
)  # fmt: skip
