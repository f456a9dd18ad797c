"""The live view: what it shows (model), how that is drawn (drawing), and the terminal that it is drawn on (live)."""
