"""Imports through the admin API: the uploaded file, its progress and its report."""

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class ImportJob(Table, tablename="import_job"):
    """``state``: waiting, running, done, failed. The file is kept until the job is done."""

    id = BigSerial(primary_key=True)
    kind = Varchar(length=16)
    filename = Varchar(length=200)
    content = Bytea(null=True, default=None)
    options = JSONB(default="{}")
    dry_run = Boolean(default=False)
    state = Varchar(length=16, default="waiting")
    done = Integer(default=0)
    total = Integer(default=0)
    report = JSONB(null=True, default=None)
    error = Text(null=True, default=None)
    staff_id = BigInt(null=True, default=None)
    created_at = Timestamptz()
    finished_at = Timestamptz(null=True, default=None)
