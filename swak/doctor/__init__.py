"""Looking whether everything is here that swak needs. Nothing of this changes anything."""
