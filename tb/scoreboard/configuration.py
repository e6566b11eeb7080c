"""Configuration registers: where each field of the device's configuration belongs, and when it changes."""

from collections.abc import Mapping

from model import DeviceState
from sw.regs import registers as regs
from sw.regs.register import Register
from tb.events.records import ConfigField, ConfigRecord
from tb.harness.base_test import Context

_CONFIG_REGISTERS = {
    "CTRL": [("enable", "ENABLE"), ("demand", "DEMAND")],
    "CONTEND_POLICY": [("contend_policy", "POLICY")],
    "WEIGHT_R": [("w_r", "WEIGHT")],
    "WEIGHT_F": [("w_f", "WEIGHT")],
    "WEIGHT_S": [("w_s", "WEIGHT")],
    "WEIGHT_D": [("w_d", "WEIGHT")],
    "EVICT_THRESH": [("evict_thresh", "THRESHOLD")],
    "PREFETCH_THRESH": [("prefetch_thresh", "THRESHOLD")],
    "R_SHIFT": [("r_shift", "SHIFT")],
    "F_AGE": [("f_age", "AGE")],
    "LOOKAHEAD": [("lookahead", "STEPS")],
    "HOLD": [("hold", "STEPS")],
    "PROMOTE_TIER": [("promote_tier", "TIER")],
    "EVICT_TIERS": [("evict_tiers", "MASK")],
    "MAX_RETRY": [("max_retry", "TRIES")],
    "BLOCK_BYTES": [("block_bytes", "BYTES")],
}


class ConfigCheck:
    """Follows the device's configuration: the model takes a value where the device does."""

    def __init__(self, ctx: Context, state: DeviceState) -> None:
        self._ctx = ctx
        self._s = state
        self._due: dict[tuple[str, int], int] = {}  # seen to change, the write's response is due
        self.last = ""  # the field that changed last

    def clear(self) -> None:
        """A reset: accesses under way are lost."""
        self._due.clear()

    def changed(self, r: ConfigRecord, reset_cycle: int) -> None:
        """A configuration field has a new value. The model takes it here, where the device does."""
        name, index, value = ConfigField(r.field).name, r.instance_no, r.value
        self.last = name
        s = self._s
        if r.cycle - reset_cycle <= 1:
            register, _ = self._register_of(name, index)
            self._ctx.compare(
                f"reset value of {register.name}", self._reset_value(name, index), value, at_cycle=r.cycle
            )
        else:
            self._due[name, index] = value
        if name == "slots":
            s.set_slots(index, value)
        elif name == "block_bytes":
            s.set_block_bytes(value)
        elif isinstance(getattr(s.config, name), list):
            getattr(s.config, name)[index] = value
        else:
            kind = type(getattr(s.config, name))
            setattr(s.config, name, kind(value))

    def _reset_value(self, name: str, index: int) -> int:
        register, field = self._register_of(name, index)
        return register[field].reset or 0

    @staticmethod
    def _register_of(name: str, index: int) -> tuple[Register, str]:
        if name.startswith("req_"):
            return regs.BY_NAME[f"PORT{index}_{name.upper()}"], "REQUEST_ID"
        if name in ("base", "slots", "reserve", "low", "high"):
            return regs.BY_NAME[f"TIER{index}_{name.upper()}"], "ADDR" if name == "base" else "COUNT"
        for register, pairs in _CONFIG_REGISTERS.items():
            for config_name, field in pairs:
                if config_name == name:
                    return regs.BY_NAME[register], field
        raise KeyError(name)

    def written(self, name: str, values: Mapping[str, int], cycle: int) -> None:
        """Configuration that the write names holds the new value."""
        pairs: list[tuple[str, int, int]] = []
        if name == "THRESHOLDS":
            pairs = [
                ("evict_thresh", 0, values["EVICT_THRESH"]),
                ("prefetch_thresh", 0, values["PREFETCH_THRESH"]),
            ]
        elif name in _CONFIG_REGISTERS:
            pairs = [(n, 0, regs.BY_NAME[name][f].get(values[name])) for n, f in _CONFIG_REGISTERS[name]]
        elif name.startswith(("PORT", "TIER")):
            pairs = [(name[6:].lower(), int(name[4]), values[name])]
        for config_name, index, value in pairs:
            self._due.pop((config_name, index), None)
            held = self._held(config_name, index)
            if held is not None:
                self._ctx.compare(f"{name} holds the value written", value, held, at_cycle=cycle)

    def _held(self, name: str, index: int) -> int | None:
        if name == "slots":
            return self._s.pools[index].slots
        held = getattr(self._s.config, name)
        return int(held[index] if isinstance(held, list) else held)

    def finish(self) -> None:
        """Nothing has changed without the write that asked for it."""
        changed = {self._register_of(*key)[0].name: value for key, value in self._due.items()}
        self._ctx.compare("registers that changed without a write", {}, changed)
