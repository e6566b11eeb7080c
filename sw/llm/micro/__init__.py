"""The micro-LLM: a decoder-only transformer whose K and V bytes live in the device's memories."""
