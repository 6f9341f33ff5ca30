"""The project: settings, addresses, entry points, and the stack that runs them."""
