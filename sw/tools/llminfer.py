"""llminfer: one prompt through the LLM service by control frames, its text on stdout (software.md 5)."""

from __future__ import annotations

import argparse
import codecs
import os
import sys
from typing import Any

from sw.control.frames import POLL_TOKENS, Command
from sw.control.llm_commands import InferState
from sw.llm.backend import THOUSANDTHS, U16, U64
from sw.llm.config import CLASSES
from sw.terminal import LAYOUT, complain, visible
from sw.tools.common import Parser, Session, Tool, ToolError, counted, main, number
from sw.tools.control import Control, add_token_option

U32 = (1 << 32) - 1
MUCH = 10  # times its computing: then what an inference has waited for is reported


def _thousandths(limit: int) -> Any:
    def parse(text: str) -> int:
        try:
            value = round(float(text) * THOUSANDTHS)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not 0 <= value <= limit:
            raise argparse.ArgumentTypeError(f"{text}: 0 to {limit / THOUSANDTHS:g}")
        return value

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="llminfer", description=__doc__)
    add_token_option(parser)
    parser.set_defaults(parser=parser)
    parser.add_argument("prompt", help="its text; `-`: from stdin")
    parser.add_argument("--max-tokens", type=number(U16, 1), default=64, help="of output (default 64)")
    parser.add_argument("--prio", type=number(CLASSES - 1), default=0, help="class, 0 (default) to 3")
    parser.add_argument("--stream", action="store_true", help="print tokens as they come")
    parser.add_argument(
        "--deadline-ns", type=number(), default=0, help="from acceptance on (default: the class's period)"
    )
    parser.add_argument("--model", type=number(U32), default=0, help="id of the model (default: the only one)")
    parser.add_argument("--seed", type=number(U64), default=0, help="of the sampling")
    parser.add_argument("--temperature", type=_thousandths(U16), default=0, help="0 (default): the likeliest token")
    parser.add_argument("--top-k", type=number(U16), default=0, help="of so many tokens (0: all)")
    parser.add_argument("--top-p", type=_thousandths(THOUSANDTHS), default=0, help="of so much probability (0: all)")
    return parser


class _Text:
    """Tokens to text as they come; bytes that are no UTF-8 are shown as such."""

    def __init__(self, control: Control, token: int, model: int) -> None:
        self._control, self._token, self._model = control, token, model
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.whole = ""

    def take(self, tokens: tuple[int, ...]) -> str:
        """The text of the next tokens."""
        if not tokens:
            return ""
        result = self._control.client.call("text", token=self._token, model=self._model, tokens=list(tokens))
        return self._add(self._decoder.decode(bytes.fromhex(result["hex"])))

    def end(self) -> str:
        """What was held back because it was half a character."""
        return self._add(self._decoder.decode(b"", final=True))

    def _add(self, text: str) -> str:
        self.whole += text
        return text


def _execute(options: argparse.Namespace, session: Session) -> int:
    control = Control(session, options.token_file)
    prompt = sys.stdin.buffer.read() if options.prompt == "-" else os.fsencode(options.prompt)
    if not prompt:
        options.parser.error("a prompt without a byte")
    token = control.user()
    handle = control.buffer(prompt)
    try:
        first = (handle, options.max_tokens, options.prio, options.deadline_ns)
        second = (options.model, options.seed, options.temperature, options.top_k, options.top_p)
        infer_id = control.ask(Command.LLM_INFER_START, token, *first, *second).fields[0]
    finally:
        control.release(handle)
    try:
        state, tokens, text = _read(options, session, control, token, infer_id)
    except KeyboardInterrupt:
        session.close()  # the node may be in the middle of an abandoned poll
        control.ask(Command.LLM_CANCEL, token, infer_id)
        raise
    return _tell(options, session, control, infer_id, state, tokens, text)


def _read(
    options: argparse.Namespace, session: Session, control: Control, token: int, infer_id: int
) -> tuple[InferState, list[int], _Text]:
    """Poll to the end."""
    live = options.stream and not session.as_json
    text = _Text(control, token, options.model)
    tokens: list[int] = []
    while True:
        reply = control.ask(Command.LLM_INFER_POLL, token, infer_id, POLL_TOKENS)
        _, number_, _, count, _, *new = reply.fields
        state = InferState(number_)
        tokens += new
        said = text.take(tuple(new))
        if live:
            sys.stdout.write(visible(said, keep=LAYOUT))
            sys.stdout.flush()
        if state >= InferState.DONE and count < POLL_TOKENS:
            break
        if not count:
            raise ToolError(f"inference {infer_id} is {state.name.lower()} and cannot go on")
    said = text.end()
    if live:
        sys.stdout.write(visible(said, keep=LAYOUT) + "\n")
    return state, tokens, text


def _tell(
    options: argparse.Namespace,
    session: Session,
    control: Control,
    infer_id: int,
    state: InferState,
    tokens: list[int],
    text: _Text,
) -> int:
    snapshot = control.client.call("metrics", token=control.user())["snapshot"]
    mine: dict[str, Any] = next((one for one in snapshot["inferences"] if one["infer_id"] == infer_id), {})
    result = {"infer_id": infer_id, "state": state.name.lower(), "tokens": tokens, "text": text.whole, "metrics": mine}
    if session.as_json:
        session.show(result, lambda: None)
    elif not options.stream:
        session.text(text.whole)
    if state is not InferState.DONE:
        why = f": {mine['reason']}" if mine.get("reason") else ""
        raise ToolError(
            f"inference {infer_id} {'was' if state is InferState.CANCELLED else 'has'} {state.name.lower()}{why}"
        )
    if not session.as_json:
        took = (mine["ended_ns"] - mine["accepted_ns"]) / 1e6 if mine else 0.0
        late = ", after its deadline" if mine.get("missed") else ""
        waited = _waited(control, options.prio, snapshot, mine, took) if mine else ""
        complain(f"{counted(len(tokens), 'token')} in {took:,.3f} ms of device time{late}{waited}")
    return 0


def _waited(control: Control, cls: int, snapshot: dict[str, Any], mine: dict[str, Any], took: float) -> str:
    """Why it took much longer than its computing: the budget of its class."""
    computed = mine["cycles"] / control.client.call("info")["clock_mhz"] / 1e3
    if took <= MUCH * computed:
        return ""
    server = next(one for one in snapshot["det_servers"] if one["server"] == cls)
    budget, period = (server[f"det_server_{name}_ns"] / 1e6 for name in ("budget", "period"))
    return (
        f", {computed:,.3f} ms of them computing: class {cls} may use {budget:g} ms in {period:g} ms (`llmctl budget`)"
    )


TOOL = Tool("llminfer", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
