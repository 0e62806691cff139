"""Piccolo app of ``core.staff``."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="mall_staff",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(["core.staff.tables"]),
    migration_dependencies=[],
    commands=[],
)
