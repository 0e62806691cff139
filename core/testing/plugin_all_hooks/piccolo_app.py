"""Piccolo app of the test plugin."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="mall_all_hooks",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(["core.testing.plugin_all_hooks.tables"]),
    migration_dependencies=[],
    commands=[],
)
