"""The ground that model and software share: registers, fields, queue words, KV addresses (generated where possible)."""
