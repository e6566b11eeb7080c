"""Software of the KV-CPU device: transports, driver."""
