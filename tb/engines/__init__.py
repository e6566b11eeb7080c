"""Real inference engines: llama.cpp measured by the token (`make rt-bench`), vLLM on the device (`make vllm-check`)."""
