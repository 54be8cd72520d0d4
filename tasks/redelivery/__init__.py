"""Deliveries that outlive their worker: leases, an atomic pop, draining, and an end for poison.

A delivery is a message that a worker has taken and not acknowledged. It is leased to that worker: the lease is renewed
while the worker lives, however long the operation takes, and when it ends the message is delivered again.
"""
