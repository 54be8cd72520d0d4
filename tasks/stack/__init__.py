"""The whole system on one computer: broker, store, worker machines and Flower as local processes.

For `leanfleet up`, the demo, `leanfleet check` without a broker, and the tests. Everything listens on 127.0.0.1 only,
is stopped in reverse order whatever happens, and dies with the process that started it.
"""
