"""What changed between two runs."""

from collections.abc import Mapping, Sequence

import msgspec

from producer.batch.manifest import Entry
from producer.batch.record import Record
from producer.judgement import Verdict
from producer.outcome import Outcome


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How one proof ended in two runs; None: it was not there, or has no answer."""

    id: str
    before: Record | None
    after: Record | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`changed` has those whose verdict or outcome is another one, in the order of the second run."""

    same: int
    changed: tuple[Change, ...]
    only_before: tuple[str, ...]  # ids that the second run does not know
    only_after: tuple[str, ...]


def compare(
    before: tuple[Sequence[Entry], Mapping[int, Record]], after: tuple[Sequence[Entry], Mapping[int, Record]]
) -> Difference:
    """What changed between two runs, given as entries and results; proofs are the same when their ids are."""
    old = {entry.id: before[1].get(place) for place, entry in enumerate(before[0])}
    new = {entry.id: after[1].get(place) for place, entry in enumerate(after[0])}
    both = [proof for proof in new if proof in old]
    changed = [proof for proof in both if _ends_as(old[proof]) != _ends_as(new[proof])]
    return Difference(
        same=len(both) - len(changed),
        changed=tuple(Change(id=proof, before=old[proof], after=new[proof]) for proof in changed),
        only_before=tuple(proof for proof in old if proof not in new),
        only_after=tuple(proof for proof in new if proof not in old),
    )


def _ends_as(record: Record | None) -> tuple[Verdict, Outcome] | None:
    return None if record is None else (record.verdict, record.outcome)
