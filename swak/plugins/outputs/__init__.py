"""The outputs that come with swak."""
