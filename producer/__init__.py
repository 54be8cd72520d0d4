"""What a training loop imports: operations, state references, results and the client. Nothing of the worker stack.

`leanfleet` is the public name: it re-exports what `producer.api` names.
"""
