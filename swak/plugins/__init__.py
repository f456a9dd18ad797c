"""The plugins that come with swak."""
