"""The inputs that come with swak."""
