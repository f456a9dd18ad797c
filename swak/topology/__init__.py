"""From a recipe to a checked, named, immutable graph of stages."""
