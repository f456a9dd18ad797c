"""Handing an agent's sockets over to a new process, so that an upgrade refuses nobody."""
