"""The commands of `swak`, one module each, loaded when asked for."""
