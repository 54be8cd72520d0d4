"""Batches: many proofs under one id that any machine can ask for, today or next week, with no process waiting for them.

    store   manifest, proofs, one object for each attempt, and the results, in segments that are written once
    broker  the messages, and the answers that nobody has moved to the store yet

A batch needs no living producer: workers put answers into a hash on the broker, the first for each proof, and whoever
watches or asks moves them to the store and frees the broker of them.
"""
