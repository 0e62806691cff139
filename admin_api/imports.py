"""Imports through the admin API: upload a file, follow its progress, read its report."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body

from core.imports import service
from core.imports.errors import FileUnreadable, FormatUnknown, JobMissing, OptionInvalid, PriceRuleInvalid
from core.imports.types import ImportJobView, Options
from core.kernel.mall import Mall
from core.staff.types import StaffSessionView
from core.web import UPLOAD_LIMIT, Page, Paged, paged, problems

TAGS = ["imports"]
RUN = {"permission": "imports.run", "all_stores": True}


class Upload(msgspec.Struct, kw_only=True):
    """A .csv or .xlsx file, and how to read it (as form fields)."""

    file: UploadFile
    coord_sys: Literal["gcj02", "wgs84", "bd09"] = "gcj02"
    hours: str = ""
    services: str = "pickup"
    price_rule: str = ""
    location: str = "main"
    publish: bool = True
    dry_run: bool = False

    def options(self) -> Options:
        return Options(
            coord_sys=self.coord_sys, hours=self.hours, price_rule=self.price_rule, location=self.location,
            services=tuple(s.strip() for s in self.services.split(",") if s.strip()), publish=self.publish,
            dry_run=self.dry_run,
        )  # fmt: skip


Form = Annotated[Upload, Body(media_type=RequestEncodingType.MULTI_PART)]
REFUSALS = problems(FileUnreadable, FormatUnknown, PriceRuleInvalid, OptionInvalid)


@post(
    "/imports/stores", operation_id="import_stores", tags=TAGS, summary="Import stores from a file", opt=RUN,
    status_code=202, request_max_body_size=UPLOAD_LIMIT, responses=REFUSALS,
    description="Takes the file in and answers at once; the job worker imports it. Follow it at `GET /imports/{id}`.",
)  # fmt: skip
async def import_stores(mall: Mall, staff: StaffSessionView, data: Form) -> ImportJobView:
    content = await data.file.read()
    return await service.submit(mall, "stores", data.file.filename, content, data.options(), actor=staff.actor)


@post(
    "/imports/products", operation_id="import_products", tags=TAGS, summary="Import products from a file", opt=RUN,
    status_code=202, request_max_body_size=UPLOAD_LIMIT, responses=REFUSALS,
    description="Shopify's product CSV, the mall's own columns, or a menu with a price rule; a product is taken whole "
    "or not at all.",
)  # fmt: skip
async def import_products(mall: Mall, staff: StaffSessionView, data: Form) -> ImportJobView:
    content = await data.file.read()
    return await service.submit(mall, "products", data.file.filename, content, data.options(), actor=staff.actor)


@get("/imports", operation_id="list_imports", tags=TAGS, summary="Imports, newest first", opt=RUN)
async def list_imports(mall: Mall, page: Page) -> Paged[ImportJobView]:
    after = page.after(tuple[int])
    found = await service.list_jobs(mall, after_id=after[0] if after else None, limit=page.limit + 1)
    return paged(found, page.limit, lambda job: (job.id,))


@get(
    "/imports/{job_id:int}", operation_id="get_import", tags=TAGS, summary="One import with its progress and report",
    opt=RUN, responses=problems(JobMissing),
)  # fmt: skip
async def get_import(mall: Mall, job_id: int) -> ImportJobView:
    return await service.get_job(mall, job_id)


handlers: list[HTTPRouteHandler] = [import_stores, import_products, list_imports, get_import]
