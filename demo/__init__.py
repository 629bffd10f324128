"""The support copilot from a customer's message to the reply, with a worker killed on the way."""
