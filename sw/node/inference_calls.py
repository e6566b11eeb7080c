"""Calls on inferences: which there are, ending one, why the last frame was refused, metrics."""

from __future__ import annotations

from sw.codes import Code, Refusal, described
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT, AuthFailed, Capability, Object, Rights
from sw.llm.inference import Inference
from sw.llm.service import LlmService
from sw.metrics import snapshots
from sw.node.calls import U32, WORD, Asker, Call, Json, call
from sw.node.service_calls import holder, service_of


def _sees_all(cap: Capability) -> bool:
    """Whether inferences of other holders are shown too."""
    return bool(cap.rights & Rights.ADMIN and cap.objects & Object.LLM)


def _row(service: LlmService, one: Inference) -> Json:
    return {
        "infer_id": one.infer_id,
        "holder": one.cap.holder,
        "class": one.cls,
        "model": one.model.model_id,
        "state": service.state(one).name.lower(),
        "tokens": one.produced,
        "max_tokens": one.max_tokens,
        "unread": one.produced - one.read,
        "accepted_ns": one.accepted_ns,
        "deadline_ns": one.deadline_ns,
    }


async def _inferences(asker: Asker, asked: Json) -> Json:
    """Inferences that have not ended, and those that have and were not read to their end: the asker's, or all."""
    cap = holder(asker, asked, ANY_OBJECT, ANY_RIGHT)
    service = service_of(asker)
    return {
        "inferences": [_row(service, one) for one in service.book if _sees_all(cap) or one.cap.holder == cap.holder]
    }


async def _cancel(asker: Asker, asked: Json) -> Json:
    """End an inference: the asker's own with SUBMIT, anybody's with ADMIN on Llm."""
    cap = holder(asker, asked, Object.LLM, ANY_RIGHT)
    service, infer_id = service_of(asker), asked["infer_id"]
    found = next((one for one in service.book if one.infer_id == infer_id), None)
    if found is None or not (_sees_all(cap) or found.cap.holder == cap.holder):
        raise Refusal(Code.NOT_FOUND, f"no inference {infer_id}")
    if not cap.rights & (Rights.ADMIN | Rights.SUBMIT):
        raise AuthFailed(cap.id)
    if cap.id != found.cap.id:  # the service's own entry names the capability that the inference was started with
        audit = asker.node.system.audit
        audit.record(holder=cap.holder, cap_id=cap.id, op="llm.cancel", obj=f"infer:{infer_id}", code=Code.OK)
    state = await service.cancel(found.cap, infer_id)
    return {"infer_id": infer_id, "state": state.name.lower()}


async def _reason(asker: Asker, _: Json) -> Json:
    """Why the last control frame over this file was refused; a reply has room for the code alone."""
    refused = asker.file.stream.refused
    return {"reason": described(refused.code, str(refused)) if refused else ""}


async def _metrics(asker: Asker, asked: Json) -> Json:
    """All metrics now: a snapshot (docs/schemas/kvcpu-metrics-v1.schema.json), or Prometheus text.

    Single inferences are the asker's own; all with ADMIN on Llm.
    """
    cap = holder(asker, asked, ANY_OBJECT, ANY_RIGHT)
    system = asker.node.system
    await system.observe()
    if asked.get("form") == "prometheus":
        return {"text": snapshots.prometheus(system.metrics)}
    return {"snapshot": snapshots.snapshot(system.metrics, None if _sees_all(cap) else cap.holder)}


INFERENCE_CALLS: dict[str, Call] = {
    "inferences": call(_inferences, "token", token=WORD),
    "cancel": call(_cancel, "token", "infer_id", token=WORD, infer_id=U32),
    "reason": call(_reason),
    "metrics": call(_metrics, "token", token=WORD, form={"enum": ["json", "prometheus"]}),
}
