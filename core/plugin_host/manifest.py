"""The manifest of a plugin: data, read before any of its hooks is called."""

from __future__ import annotations

from typing import Any

import msgspec

from core.kernel.contracts import Permission
from core.kernel.i18n import Text

API_VERSION = "1.0"
"""The version of ``core.sdk`` and of the hooks. A minor version only adds; a plugin says its range in ``core_api``."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin is and needs. The entry point (group ``minimall.plugins``, named by the id) is a module that has
    this manifest as ``PLUGIN``; its hooks are the module's own ``@hookimpl`` functions, or the methods of the object
    ``plugin`` if the module has one.

    ``id`` is 2 to 32 lower-case letters, digits and single underscores, starting with a letter: it prefixes tables,
    permissions, jobs, handlers and environment variables. ``requires`` names plugins with a range
    (``"membership>=1"``), ``conflicts`` names plugins. ``config`` is a struct with ``forbid_unknown_fields``; fields
    without a default must be set in the environment (``MALL_<ID>__<FIELD>``). ``piccolo_app`` is the package whose
    ``piccolo_app`` module holds the tables (``"plugins.coupons"``). A plugin that ``drains`` finishes old work after it
    is disabled and takes no new.
    """

    id: str
    version: str
    core_api: str
    title: Text
    summary: Text
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    config: type[Any] | None = None
    piccolo_app: str | None = None
    permissions: tuple[Permission, ...] = ()
    drains: bool = False
