import csv,time
from pathlib import Path
from datetime import timedelta
from core.kernel.origin import SYSTEM
from core.stores import service as stores
from core.stores.types import StoreDraft
from core import db
from plugins.nearby_stores import index, service
from plugins.nearby_stores.types import Wanted, Place
async def test_perf(make_mall, deliver_events):
    mall = await make_mall(plugins=("nearby_stores",))
    rows = list(csv.DictReader(Path('/work/shared/data/stores-cn.csv').read_text().splitlines()))
    W={d:(("08:00","22:00"),) for d in ("mon","tue","wed","thu","fri","sat","sun")}
    drafts=[StoreDraft(code=r["Store Number"],name=r["Store Name"],city=r["City"],address=r["Street Address"],lat=float(r["Latitude"]),lng=float(r["Longitude"]),coord_sys="wgs84",hours=W,services=("pickup",)) for r in rows]
    t=time.perf_counter(); await stores.upsert_stores(mall, drafts, actor=SYSTEM); print("upsert",time.perf_counter()-t)
    t=time.perf_counter(); await stores.upsert_stores(mall, drafts, actor=SYSTEM); print("again",time.perf_counter()-t)
    t=time.perf_counter(); await index.rebuild(mall); print("rebuild",time.perf_counter()-t)
    t=time.perf_counter(); await index.check(mall); print("check",time.perf_counter()-t)
    t=time.perf_counter(); n=await deliver_events(mall); print("deliver",n,time.perf_counter()-t)
    mall.clock.advance(timedelta(hours=1))
    await db.execute("ANALYZE store")
    for r in (1000,5000,50000):
        for redis in (True,False):
            keep=mall.redis
            if not redis: mall.redis=None
            t=time.perf_counter()
            for _ in range(20): f=await service.find(mall, Wanted(place=Place(31.2304,121.4737),radius_m=r), limit=21)
            print(r,redis,len(f),(time.perf_counter()-t)/20*1000,"ms")
            mall.redis=keep
    for q in ("北京西站","上海 Bund","星巴克","外滩","Kowloon","Kowlon","Fortres Hil"):
        t=time.perf_counter(); f=await stores.search_stores(mall,q,limit=5); print(q,[s.name+s.city for s in f],(time.perf_counter()-t)*1000)
    trips=[]; tok=db.round_trips.set(trips)
    await service.find(mall, Wanted(place=Place(31.2304,121.4737),radius_m=5000), limit=21); print(len(trips))
