"""The commands of `leanfleet` that come with the worker stack, each in a module of its name."""
