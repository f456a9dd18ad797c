"""Following files: growth, identity, discovery."""
