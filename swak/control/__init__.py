"""Talking to an agent that runs: the protocol, the socket, and what it can be asked for."""
