"""Formats: bytes and text to records, and back."""
