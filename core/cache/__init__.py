"""Redis as a help, never as the truth: losing it costs speed."""

from core.cache.client import connect
from core.cache.limits import RateLimited, rate_limit
from core.cache.responses import EVERY, CachedBody, ResponseCache, invalidate

__all__ = ["EVERY", "CachedBody", "RateLimited", "ResponseCache", "connect", "invalidate", "rate_limit"]
