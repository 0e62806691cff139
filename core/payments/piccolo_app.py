"""Piccolo app of ``core.payments``."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="mall_payments",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(["core.payments.tables"]),
    migration_dependencies=[],
    commands=[],
)
