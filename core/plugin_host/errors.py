"""What the plugin host refuses."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, NotFound


class PluginNotFound(NotFound):
    code = "plugin.not_found"
    zh = "没有名为“{plugin}”的插件。"
    en = "There is no plugin named “{plugin}”."


class PluginNotUsable(Conflict):
    """It was found, but it cannot be switched on as it is."""

    code = "plugin.not_usable"
    zh = "插件 {plugin} 无法启用:{reason}"
    en = "The plugin {plugin} cannot be enabled: {reason}"


class PluginNeedsMigration(Conflict):
    code = "plugin.needs_migration"
    zh = "插件 {plugin} 的数据库尚未升级,请先运行 mall migrate。"
    en = "The tables of plugin {plugin} are not up to date; run `mall migrate` first."


class PluginRequired(Conflict):
    """Others stand on it."""

    code = "plugin.required"
    zh = "插件 {plugin} 正被 {by} 使用,请先停用它们。"
    en = "The plugin {plugin} is required by {by}; disable those first."


class PluginRequires(Conflict):
    code = "plugin.requires"
    zh = "插件 {plugin} 需要先启用:{missing}。"
    en = "The plugin {plugin} needs these enabled first: {missing}."


class PluginSettingsInvalid(Invalid):
    code = "plugin.settings_invalid"
    zh = "插件 {plugin} 的设置无效:{reason}"
    en = "The settings of plugin {plugin} cannot be used: {reason}"


class PluginSettingsChanged(Conflict):
    code = "plugin.settings_changed"
    zh = "插件 {plugin} 的设置刚被他人修改,请刷新后重试。"
    en = "Someone else has just changed the settings of plugin {plugin}; load them again."
