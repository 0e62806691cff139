"""Piccolo app of ``plugins.nearby_stores``."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="mall_nearby_stores",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(["plugins.nearby_stores.tables"]),
    migration_dependencies=[],
    commands=[],
)
