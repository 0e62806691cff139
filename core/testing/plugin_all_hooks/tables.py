"""What the test plugin remembers."""

from piccolo.columns import BigInt, BigSerial, Integer, Timestamptz, Varchar
from piccolo.table import Table


class AllHooksNote(Table, tablename="all_hooks_note"):
    """One thing that was noted, once for each ``kind`` and ``subject_id``; ``times`` says how often."""

    id = BigSerial(primary_key=True)
    kind = Varchar(length=32)
    subject_id = BigInt()
    text = Varchar(length=200, default="")
    times = Integer(default=1)
    at = Timestamptz()
