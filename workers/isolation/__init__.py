"""A fence around every REPL process: Lean code may run any program while it is elaborated, and some of it will.

`environment` says which variables a REPL sees, `capabilities` what this machine can enforce, `fence` decides from that
what is enforced by which means, `enclosure` starts and cleans up after it. `__main__` is the last program before the
REPL: it restricts itself and becomes the REPL. It must start within milliseconds and imports only modules of this
package that import next to nothing, which is why nothing is re-exported here.
"""
