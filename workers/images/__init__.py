"""Frozen REPL processes: one that has imported its header is dumped once by CRIU and restored many times.

Restoring maps memory where a start would import modules. It is an accelerator and nothing depends on it: whatever is
missing, does not fit or fails leads back to a normal start. Linux alone, and root.
"""
