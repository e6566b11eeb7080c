"""The system part of `make sim`: prompts served by the micro-LLM on the simulated RTL, or on the device model."""
