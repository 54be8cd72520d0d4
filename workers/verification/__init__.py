"""Verdicts on proofs, reached where the candidate's text has no say; docs/verdicts.md says how and against what."""
