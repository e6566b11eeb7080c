"""The laboratory: streams, baselines, settings, the policy level, the self-tuning policy."""
