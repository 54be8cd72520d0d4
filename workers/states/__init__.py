"""Restoring Lean states on a worker: what a recipe is, which way is cheapest, and the pickles that make it cheap."""
