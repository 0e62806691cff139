"""The copy-paste purchase that ``mall demo`` prints: shell lines with curl and python3, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

_SCRIPT = r"""
S={base}/storefront/v1 A={base}/admin/v1
P=138$RANDOM$RANDOM; P=${{P:0:11}}; while [ ${{#P}} -lt 11 ]; do P=${{P}}0; done
j() {{ python3 -c "import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))" "$1"; }}
post() {{ curl -sS --noproxy '*' -H 'Content-Type: application/json' "$@"; }}
post $S/auth/codes -d '{{"phone":"'$P'"}}' >/dev/null
CODE=$(tail -1 '{outbox}' | j 'd["values"]["code"]')
T=$(post $S/auth/sessions -d '{{"credentials":{{"phone":"'$P'","code":"'$CODE'"}}}}' | j 'd["token"]')
STORE=$(curl -sS --noproxy '*' "$S/x/nearby_stores/stores?lat=31.2304&lng=121.4737&open_now=true&limit=1" |
  j 'd["items"][0]["id"]')
SKU=$(curl -sS --noproxy '*' "$S/products?store_id=$STORE&limit=1" | j 'd["items"][0]["sku_ids"][0]')
WISH='"lines":[{{"sku_id":'$SKU',"qty":1}}],"store_id":'$STORE
FEN=$(post $S/quotes -H "Authorization: Bearer $T" -d "{{$WISH}}" | j 'd["payable_fen"]')
N=$(post $S/orders -H "Authorization: Bearer $T" -H "Idempotency-Key: demo-$RANDOM$RANDOM" \
  -d "{{$WISH,\"expected_total_fen\":$FEN}}" | j 'd["number"]')
post $S/orders/$N/payments -H "Authorization: Bearer $T" -d '{{"provider":"pay_at_store"}}' >/dev/null
STAFF=$(post $A/auth/sessions -d '{login}' | j 'd["token"]')
post $A/x/pay_at_store/orders/$N/confirm -H "Authorization: Bearer $STAFF" \
  -d '{{"amount_fen":'$FEN',"method":"cash"}}' >/dev/null
PICKUP=$(curl -sS --noproxy '*' $S/orders/$N/pickup-code -H "Authorization: Bearer $T" | j 'd["code"]')
post $A/pickups/verify -H "Authorization: Bearer $STAFF" -d '{{"code":"'$PICKUP'"}}' |
  j '"order " + d["order"]["number"] + ": " + d["order"]["status"]'
"""


def script(base_url: str, home: Path, *, login: str, password: str) -> str:
    """Return bash lines that buy one drink from the mall at ``base_url`` and pick it up."""
    credentials = json.dumps({"login": login, "password": password})
    return _SCRIPT.format(base=base_url, outbox=home / "outbox.jsonl", login=credentials).strip()
