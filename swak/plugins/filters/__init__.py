"""The filters that come with swak."""
