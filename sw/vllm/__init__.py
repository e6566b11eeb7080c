"""The device as an offloading tier of vLLM (software.md 6). Only `spec` and `tier` import vLLM itself."""
