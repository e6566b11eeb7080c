"""Transports: who answers the driver."""
