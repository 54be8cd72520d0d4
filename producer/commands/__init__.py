"""The commands of `leanfleet` that need a client and nothing of the worker stack, each in a module of its name."""
