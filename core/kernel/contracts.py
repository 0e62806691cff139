"""Typed objects that plugins (and the core) register: one named thing that does one job, found by its code.

Protocols with a domain of their own (``PaymentProvider``, ``FulfilmentMethod``, ``IdentityProvider``) stand with
that domain and are registered the same way, through a ``register_*`` hook.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from core.kernel.errors import NotFound

if TYPE_CHECKING:
    from core.kernel.i18n import Text
    from core.kernel.mall import Mall

T = TypeVar("T")
CORE = "core"


class ObjectMissing(NotFound):
    code = "mall.object_missing"
    zh = "没有可用的“{object}”。"
    en = "There is no “{object}” available."


class DuplicateObject(Exception):
    """Two plugins register the same kind of object under one code: the start fails."""


class NotificationChannel(Protocol):
    """Carry short messages to people (SMS, subscribe message, the console of the demo)."""

    code: str

    async def send(self, mall: Mall, *, to: str, template: str, values: dict[str, str]) -> None:
        """Send one message; ``to`` is an address of this channel (an E.164 phone number for SMS).

        Never called inside a transaction. A raise means that it was not sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work of the job worker: deferred (``core.events.defer``), or periodic where ``cron`` is set (five fields, UTC).

    Runs at least once: ``run`` must be idempotent. ``max_runtime_s`` is a hard limit.
    """

    name: str
    run: Callable[[Mall, dict[str, Any]], Awaitable[None]]
    cron: str | None = None
    max_runtime_s: float = 60.0


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A subscriber: called after commit, at least once, in a transaction that also stores the mark of delivery.

    ``name`` is unique for ever and starts with the plugin's id: it is a key in ``event_delivery``. With
    ``in_transaction=False`` the handler runs outside one (it may call the network) and must be idempotent by itself.
    """

    name: str
    event: type[Any]
    run: Callable[[Mall, Any], Awaitable[None]]
    in_transaction: bool = True


@dataclass(frozen=True, slots=True)
class Permission:
    """A right that a role can hold. Core permissions are ``<domain>.<verb>``, a plugin's start with its id."""

    name: str
    title: Text


@dataclass(slots=True)
class Objects:
    """All registered objects, by kind and code, each with the plugin that owns it."""

    _by_kind: dict[type[Any], dict[str, tuple[str, Any]]] = field(
        default_factory=dict[type[Any], dict[str, tuple[str, Any]]]
    )
    active: Callable[[str], bool] = lambda _owner: True

    def add(self, kind: type[T], code: str, value: T, *, owner: str = CORE) -> None:
        """Register ``value``; raises ``DuplicateObject`` when the code is taken."""
        known = self._by_kind.setdefault(kind, {})
        if code in known:
            raise DuplicateObject(f"{owner} registers {kind.__name__} {code!r}, which {known[code][0]} already has")
        known[code] = (owner, value)

    def remove_owner(self, owner: str) -> None:
        """Forget everything of one plugin (it turned out faulty while registering)."""
        for known in self._by_kind.values():
            for code in [c for c, (o, _) in known.items() if o == owner]:
                del known[code]

    def get(self, kind: type[T], code: str, *, even_inactive: bool = False) -> T:
        """Return the object; raises ``ObjectMissing`` when there is none or its plugin is off."""
        owner, value = self._by_kind.get(kind, {}).get(code, (None, None))
        if owner is None or value is None or not (even_inactive or owner == CORE or self.active(owner)):
            raise ObjectMissing(object=code)
        return value

    def all(self, kind: type[T], *, even_inactive: bool = False) -> Iterator[tuple[str, str, T]]:
        """Yield ``(code, owner, object)`` of the plugins that are on, by code."""
        for code, (owner, value) in sorted(self._by_kind.get(kind, {}).items()):
            if even_inactive or owner == CORE or self.active(owner):
                yield code, owner, value

    def owner(self, kind: type[Any], code: str) -> str | None:
        return self._by_kind.get(kind, {}).get(code, (None, None))[0]
