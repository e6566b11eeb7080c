"""What every test stands on: test decorator, context, transport to the simulator, guards."""
