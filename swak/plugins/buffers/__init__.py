"""The buffers that come with swak."""
