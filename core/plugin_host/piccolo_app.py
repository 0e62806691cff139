"""Piccolo app of ``core.plugin_host``."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="mall_plugin_host",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(["core.plugin_host.tables"]),
    migration_dependencies=[],
    commands=[],
)
