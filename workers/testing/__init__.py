"""For tests of what is built on leanfleet: a scripted REPL that misbehaves on demand."""
