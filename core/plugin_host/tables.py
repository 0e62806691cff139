"""What the host remembers of each plugin."""

from piccolo.columns import JSONB, BigInt, BigSerial, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class PluginState(Table, tablename="plugin_state"):
    """One row a plugin that was ever installed. ``state``: installed, enabled, draining, disabled, uninstalled."""

    id = BigSerial(primary_key=True)
    plugin_id = Varchar(length=64, unique=True)
    version = Varchar(length=32)
    state = Varchar(length=16)
    changed_at = Timestamptz()


class PluginSetting(Table, tablename="plugin_setting"):
    """Business settings of a plugin, edited by staff; the newest version counts, older ones are its history."""

    id = BigSerial(primary_key=True)
    plugin_id = Varchar(length=64)
    version = Integer()
    settings = JSONB()
    staff_id = BigInt(null=True, default=None)
    reason = Text(default="")
    changed_at = Timestamptz()
