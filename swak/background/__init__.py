"""Agents that run without a terminal: their names, places and logs, and how they are started."""
