"""Calls on the service, for tools: capabilities, trusted keys, the audit log, text of tokens, the graph.

Each needs a capability's token, as frames do: default deny.
"""

from __future__ import annotations

import errno
from dataclasses import asdict

from sw.audit import Report, verify
from sw.audit.files import head_path
from sw.kernel.capability import ANY_OBJECT, Capability, Object, Rights
from sw.llm.package import TrustError, host_calendar
from sw.llm.service import LlmService
from sw.node.calls import U32, WORD, Asker, Call, CallError, Json, call

_COUNT = {"type": "integer", "minimum": 1, "maximum": 10_000}


def _set_of(kind: type[Rights] | type[Object]) -> Json:
    names = [str(member.name).lower() for member in kind]
    return {"type": "array", "items": {"enum": names}, "minItems": 1, "uniqueItems": True}


def holder(asker: Asker, asked: Json, objects: Object, rights: Rights) -> Capability:
    """The capability of a call's token.

    Raises:
        AuthFailed: it does not allow this.
    """
    system = asker.node.system
    return system.capabilities.check(asked["token"], objects, rights, system.clock.now())


def service_of(asker: Asker) -> LlmService:
    """The LLM service.

    Raises:
        CallError: there is none.
    """
    service = asker.node.system.service
    if service is None:
        raise CallError(errno.EOPNOTSUPP, "there is no LLM service")
    return service


# ---------------------------------------------------------------- capabilities


def _shown(cap: Capability) -> Json:
    return {
        "id": cap.id,
        "holder": cap.holder,
        "rights": [str(right.name).lower() for right in cap.rights],
        "objects": [str(member.name).lower() for member in cap.objects],
        "expires_ns": cap.expires_ns,
    }


async def _grant(asker: Asker, asked: Json) -> Json:
    """Issue a capability; the answer alone shows its token. `lasts_ns` of device time; without it for ever."""
    admin = holder(asker, asked, ANY_OBJECT, Rights.ADMIN)
    system = asker.node.system
    rights, objects = Rights(0), Object(0)
    for name in asked["rights"]:
        rights |= Rights[name.upper()]
    for name in asked["objects"]:
        objects |= Object[name.upper()]
    expires = system.clock.now() + asked["lasts_ns"] if "lasts_ns" in asked else None
    token = system.capabilities.issue(asked["holder"], rights, objects, expires, by=admin)
    return {"token": token, **_shown(system.capabilities.list()[-1])}


async def _revoke(asker: Asker, asked: Json) -> Json:
    """End a capability by its number."""
    admin = holder(asker, asked, ANY_OBJECT, Rights.ADMIN)
    asker.node.system.capabilities.revoke_id(asked["id"], by=admin)
    return {}


async def _keys(asker: Asker, asked: Json) -> Json:
    """The trust store of model packages, and the capabilities that are alive, without their tokens."""
    holder(asker, asked, Object.MODEL, Rights.ADMIN)
    now = host_calendar()
    home = asker.node.home
    try:
        trusted = home.trust.trusted() if home.trust.path.exists() else []
    except TrustError as error:
        raise CallError(errno.EIO, str(error)) from None
    return {
        "trusted": [
            {
                "key_id": key.public.key_id.hex(),
                "name": key.name,
                "expires": None if key.expires is None else key.expires.isoformat(),
                "expired": key.expired(now),
            }
            for key in trusted
        ],
        "store": str(home.trust.path),
        "service_key_id": asker.node.service_key.key_id.hex(),
        "capabilities": [_shown(cap) for cap in asker.node.system.capabilities.list()],
    }


# ---------------------------------------------------------------- audit


async def _audit(asker: Asker, asked: Json) -> Json:
    """The last entries of the audit log (20), and what its verifier says of all of it."""
    holder(asker, asked, Object.LLM, Rights.ADMIN)
    node = asker.node
    path, last = node.home.audit, asked.get("last", 20)

    def read() -> tuple[list[Json], Report]:
        return node.system.audit.entries(last), verify(path, head_path(path), node.service_key)

    entries, report = await asker.aside(read)
    return {"entries": entries, "path": str(path), "whole": report.whole, "verdict": report.summary()}


# ---------------------------------------------------------------- models and graph


async def _text(asker: Asker, asked: Json) -> Json:
    """The bytes that token ids of a model stand for, in hex."""
    holder(asker, asked, Object.LLM, Rights.STREAM)
    backend = service_of(asker).model(asked.get("model", 0))
    try:
        return {"hex": backend.text(asked["tokens"]).hex()}
    except ValueError as error:
        raise CallError(errno.EINVAL, str(error)) from None


async def _graph(asker: Asker, asked: Json) -> Json:
    """The graph of the control plane: operators, and its channels with depth and stalls."""
    holder(asker, asked, Object.GRAPH, Rights.ADMIN)
    service = asker.node.system.graph
    operators = service.graph.operators() if service.graph else []
    channels = service.graph.stats() if service.graph else []
    return {
        "exists": service.graph is not None,
        "deterministic": service.deterministic,
        "operators": [asdict(operator) for operator in operators],
        "channels": [asdict(channel) for channel in channels],
    }


SERVICE_CALLS: dict[str, Call] = {
    "grant": call(
        _grant,
        "token",
        "holder",
        "rights",
        "objects",
        token=WORD,
        holder={"type": "string"},
        rights=_set_of(Rights),
        objects=_set_of(Object),
        lasts_ns={**WORD, "maximum": 1 << 62},
    ),
    "revoke": call(_revoke, "token", "id", token=WORD, id=U32),
    "keys": call(_keys, "token", token=WORD),
    "audit": call(_audit, "token", token=WORD, last=_COUNT),
    "text": call(
        _text, "token", "tokens", token=WORD, model=U32, tokens={"type": "array", "maxItems": 4096, "items": U32}
    ),
    "graph": call(_graph, "token", token=WORD),
}
