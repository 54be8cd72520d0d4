"""How many machines there should be: a pure policy, a simulator that tries it, and a controller that carries it out."""
