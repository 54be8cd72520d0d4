"""Which proofs a re-run takes."""

from collections.abc import Collection

from producer.batch.snapshot import Snapshot, State
from producer.errors import BatchError, InvalidInputError
from producer.outcome import Outcome


def choose(snapshot: Snapshot, *, only: Collection[str] = (), everything: bool = False) -> tuple[int, ...]:
    """The places that a re-run takes, ascending.

    Without more, all that is not settled: what had no answer, and every outcome that another run or larger limits may
    change. `only` takes some outcomes of these; `lost` stands for no answer, too. With `everything` settled ones are
    taken as well.

    Raises:
        InvalidInputError: `only` names no outcome, or a settled one without `everything`.
        BatchError: the batch is running, or there is nothing to run again.
    """
    wanted = _outcomes(only, everything=everything)
    batch_id = snapshot.manifest.id
    last = snapshot.attempts[-1]
    if last.state is State.RUNNING:
        raise BatchError(
            f"batch {batch_id} is still running, {last.unanswered:,} of {len(last.places):,} proofs have no answer "
            f"yet: wait for it (leanfleet batch watch {batch_id}), or end it first (leanfleet batch cancel {batch_id})"
        )
    results = snapshot.results()
    places = []
    for place in range(snapshot.manifest.total):
        record = results.get(place)
        outcome = Outcome.LOST if record is None else record.outcome
        if (wanted is None or outcome in wanted) and (everything or record is None or not record.is_settled):
            places.append(place)
    if not places:
        missing = "is unsettled" if wanted is None else f"has the outcome {' or '.join(sorted(only))}"
        also = "; --all repeats settled ones as well" if wanted is None and not everything else ""
        raise BatchError(f"there is nothing to run again: no proof of batch {batch_id} {missing}{also}")
    return tuple(places)


def _outcomes(only: Collection[str], *, everything: bool) -> frozenset[Outcome] | None:
    if not only:
        return None
    known = ", ".join(Outcome)
    for name in only:
        if name not in tuple(Outcome):
            raise InvalidInputError(f"{name!r} is no outcome; there are: {known}")
        if Outcome(name).is_deterministic and not everything:
            raise InvalidInputError(f"{name!r} is settled, and a further run would end in the same way: add --all")
    return frozenset(map(Outcome, only))
