"""What every test is built on: test decorator, context, transport to the simulator, guards."""
