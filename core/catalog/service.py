"""The catalog's front door: what other packages may call, by subject in the modules beside this one."""

from core.catalog.categories import (
    category_tree,
    create_category,
    delete_category,
    ensure_categories,
    get_category,
    list_categories,
    move_category,
    update_category,
)
from core.catalog.changes import invalidate_products
from core.catalog.drafts import sanitise
from core.catalog.listings import set_store_listings, set_store_prices
from core.catalog.products import change_state, create_product, update_product
from core.catalog.queries import (
    cursor_key,
    cursor_type,
    get_product,
    get_product_by_handle,
    list_products,
    product_ids_of,
    products_by_ids,
    shown_product,
    store_listings,
    store_prices,
)
from core.catalog.search import search_products
from core.catalog.selling import limit_problems, sellable
from core.catalog.upserts import upsert_in_transaction, upsert_products

__all__ = [
    "category_tree",
    "change_state",
    "create_category",
    "create_product",
    "cursor_key",
    "cursor_type",
    "delete_category",
    "ensure_categories",
    "get_category",
    "get_product",
    "get_product_by_handle",
    "invalidate_products",
    "limit_problems",
    "list_categories",
    "list_products",
    "move_category",
    "product_ids_of",
    "products_by_ids",
    "sanitise",
    "search_products",
    "sellable",
    "set_store_listings",
    "set_store_prices",
    "shown_product",
    "store_listings",
    "store_prices",
    "update_category",
    "update_product",
    "upsert_in_transaction",
    "upsert_products",
]
