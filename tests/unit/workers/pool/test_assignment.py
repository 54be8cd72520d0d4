"""Who gets which REPL: properties that hold for every pool, and the cases that the rules were made for."""

import dataclasses
from collections import Counter

from hypothesis import assume, event, given
from hypothesis import strategies as st

from workers.pool.assignment import Plan, PoolView, ProcessView, Retirement, Status, WaiterView, assign, choose

HEADERS = ("", "import A", "import B", "import Unknown")
STATES = ("s0", "s1", "s2")

processes = st.builds(
    ProcessView,
    id=st.just(0),
    status=st.sampled_from(Status),
    header=st.sampled_from(HEADERS),
    last_used=st.integers(0, 5),
    states=st.frozensets(st.sampled_from(STATES)),
    due=st.none() | st.just(Retirement.AGE),
)
waiters = st.builds(
    WaiterView,
    id=st.just(0),
    header=st.sampled_from(HEADERS),
    prefer=st.permutations(STATES).map(lambda states: tuple(states[:2])) | st.just(()),
    waited_seconds=st.sampled_from([0.0, 0.5, 2.0]),
)


@st.composite
def pools(draw: st.DrawFn) -> PoolView:
    """Any pool that can come about: at most `size` are busy, at most one more exists than is kept, and what has been
    imported is known.
    """
    size, spares = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    members = draw(st.lists(processes, max_size=size + spares + 1))
    assume(sum(member.status is Status.BUSY for member in members) <= size)
    assume(all(member.status is Status.STARTING or member.header in HEADERS[:3] for member in members))
    waiting = sorted(draw(st.lists(waiters, max_size=6)), key=lambda waiter: -waiter.waited_seconds)
    return PoolView(
        size=size,
        spares=spares,
        processes=tuple(dataclasses.replace(member, id=100 + n) for n, member in enumerate(members)),
        waiters=tuple(dataclasses.replace(waiter, id=n) for n, waiter in enumerate(waiting)),
        headers=draw(st.permutations(HEADERS[:3]).map(tuple)),
        held=draw(st.frozensets(st.sampled_from(HEADERS), max_size=2)),
    )


def carry_out(view: PoolView, plan: Plan) -> PoolView:
    """The pool after the plan, before anything else happens."""
    retired = {process for process, _ in plan.retirements}
    granted = {process for _, process in plan.grants}
    served = {waiter for waiter, _ in plan.grants}
    members = [
        dataclasses.replace(process, status=Status.BUSY) if process.id in granted else process
        for process in view.processes
        if process.id not in retired
    ]
    started = [
        ProcessView(id=1000 + number, status=Status.STARTING, header=header)
        for number, header in enumerate(plan.starts)
    ]
    return dataclasses.replace(
        view,
        processes=(*members, *started),
        waiters=tuple(waiter for waiter in view.waiters if waiter.id not in served),
    )


@given(pools())
def test_a_plan_is_possible(view: PoolView) -> None:
    """Only idle REPLs are granted or let go, each once, to a waiter of its header; and the sizes are kept."""
    plan = assign(view)
    event(f"{len(plan.grants)} granted, {len(plan.starts)} started, {len(plan.retirements)} let go")
    members = {process.id: process for process in view.processes}
    waiting = {waiter.id: waiter for waiter in view.waiters}
    touched = [process for _, process in plan.grants] + [process for process, _ in plan.retirements]
    assert len(touched) == len(set(touched))
    assert all(members[process].status is Status.IDLE for process in touched)
    assert len({waiter for waiter, _ in plan.grants}) == len(plan.grants)
    for waiter, process in plan.grants:
        assert members[process].header == waiting[waiter].header
        assert members[process].due is None
    after = carry_out(view, plan)
    assert sum(process.status is Status.BUSY for process in after.processes) <= view.size
    assert len(after.processes) <= view.capacity + 1
    assert not set(plan.starts) & view.held


@given(pools())
def test_after_a_plan_there_is_nothing_to_do(view: PoolView) -> None:
    assert not assign(carry_out(view, assign(view)))


@given(pools())
def test_waiters_of_one_header_are_served_in_order(view: PoolView) -> None:
    served = {waiter for waiter, _ in assign(view).grants}
    for header in HEADERS:
        answers = [waiter.id in served for waiter in view.waiters if waiter.header == header]
        assert answers == sorted(answers, reverse=True)


@given(pools())
def test_nobody_waits_beside_a_repl_that_could_serve(view: PoolView) -> None:
    after = carry_out(view, assign(view))
    busy = sum(process.status is Status.BUSY for process in after.processes)
    idle = {process.header for process in after.processes if process.status is Status.IDLE}
    assert busy == view.size or not idle & {waiter.header for waiter in after.waiters}


@given(pools())
def test_the_first_to_wait_is_never_starved(view: PoolView) -> None:
    """It gets a REPL, or one comes for it, or those of its header are at work, or nothing could make room for it."""
    assume(view.waiters and view.waiters[0].header not in view.held)
    after = carry_out(view, assign(view))
    if not after.waiters or after.waiters[0] != view.waiters[0]:
        return
    header = after.waiters[0].header
    has_own = any(process.header == header for process in after.processes)
    trial_elsewhere = any(
        process.status is Status.STARTING and process.header not in view.headers for process in after.processes
    )
    no_room = len(after.processes) >= view.capacity and not any(p.status is Status.IDLE for p in after.processes)
    assert has_own or no_room or trial_elsewhere


@given(pools())
def test_the_pool_is_kept_full_of_something_unless_starts_fail(view: PoolView) -> None:
    assume(any(header not in view.held for header in view.headers))
    assert len(carry_out(view, assign(view)).processes) >= view.capacity


@given(pools())
def test_a_header_that_was_never_imported_costs_no_warm_repl_while_there_is_room_for_a_trial(view: PoolView) -> None:
    assume(len(view.processes) <= view.capacity)
    assume(all(waiter.header not in view.headers for waiter in view.waiters))
    assert all(reason is not Retirement.HEADER for _, reason in assign(view).retirements)


# The cases.


def idle(number: int, header: str = "", *, last_used: int = 0, states: tuple[str, ...] = ()) -> ProcessView:
    return ProcessView(id=number, status=Status.IDLE, header=header, last_used=last_used, states=frozenset(states))


def busy(number: int, header: str = "") -> ProcessView:
    return ProcessView(id=number, status=Status.BUSY, header=header)


def pool(
    *processes: ProcessView,
    waiters: tuple[WaiterView, ...] = (),
    size: int = 2,
    spares: int = 1,
    headers: tuple[str, ...] = ("",),
    held: frozenset[str] = frozenset(),
) -> PoolView:
    return PoolView(size=size, spares=spares, processes=processes, waiters=waiters, headers=headers, held=held)


def waiter(number: int, header: str = "", *prefer: str, waited_seconds: float = 0.0) -> WaiterView:
    return WaiterView(id=number, header=header, prefer=prefer, waited_seconds=waited_seconds)


def test_the_repl_with_the_best_preferred_state_is_chosen() -> None:
    members = (idle(1, last_used=9), idle(2, states=("parent",)), idle(3, states=("state", "parent")))
    chosen = choose(members, "", ("state", "parent"))
    assert chosen is not None
    assert chosen.id == 3


def test_without_a_preference_the_one_used_last_is_chosen_so_that_the_spare_stays_fresh() -> None:
    chosen = choose((idle(1, last_used=1), idle(2, last_used=2)), "", ())
    assert chosen is not None
    assert chosen.id == 2


def test_a_state_is_left_to_the_one_who_waits_for_it() -> None:
    view = pool(idle(1, last_used=9, states=("s",)), idle(2), waiters=(waiter(0), waiter(1, "", "s")), spares=0)
    assert dict(assign(view).grants) == {0: 2, 1: 1}


def test_at_most_size_repls_work_though_spares_are_idle() -> None:
    view = pool(busy(1), busy(2), idle(3), waiters=(waiter(0),))
    assert not assign(view)


def test_spares_do_not_make_more_work_than_size() -> None:
    view = pool(idle(1), idle(2, last_used=1), size=1, waiters=(waiter(0), waiter(1)))
    assert assign(view).grants == ((0, 2),)


def test_a_repl_that_someone_will_have_at_the_next_free_slot_is_not_taken_for_another_header() -> None:
    waiting = (waiter(0), waiter(1, "import A"))
    assert not assign(pool(busy(1), busy(2), idle(3), waiters=waiting, headers=("", "import A")))


def test_a_place_is_taken_from_a_header_that_nobody_waits_for() -> None:
    waiting = (waiter(0, "import B"), waiter(1))
    headers = ("import A", "import B", "")
    plan = assign(pool(idle(1), idle(2, "import A"), size=2, spares=0, waiters=waiting, headers=headers))
    assert plan == Plan(grants=((1, 1),), starts=("import B",), retirements=((2, Retirement.HEADER),))


def test_each_start_is_for_one_waiter() -> None:
    coming = ProcessView(id=1, status=Status.STARTING, header="import A")
    waiting = (waiter(0, "import A"), waiter(1, "import A"))
    assert assign(pool(coming, idle(2), waiters=waiting, headers=("", "import A"))).starts == ("import A",)


def test_no_header_takes_more_places_than_can_work() -> None:
    waiting = (waiter(0, "import A", waited_seconds=9.0),)
    assert not assign(pool(busy(1, "import A"), idle(2), size=1, waiters=waiting, headers=("", "import A")))


def test_a_place_that_has_become_free_is_filled_with_the_header_asked_for_last() -> None:
    view = pool(busy(1, "import A"), idle(2), headers=("import A", ""))
    assert assign(view).starts == ("import A",)


def test_a_header_whose_starts_fail_is_left_alone_for_a_while() -> None:
    view = pool(waiters=(waiter(0, "import A"),), headers=("import A", ""), held=frozenset({"import A"}))
    assert set(assign(view).starts) == {""}


def test_another_header_takes_the_place_of_the_one_asked_for_longest_ago() -> None:
    members = (idle(1, ""), idle(2, "import A"), idle(3, "import B"))
    view = pool(*members, waiters=(waiter(0, "import C"),), headers=("import B", "import C", "", "import A"))
    assert assign(view) == Plan(starts=("import C",), retirements=((2, Retirement.HEADER),))


def test_a_header_never_imported_here_is_tried_beside_the_warm_ones() -> None:
    view = pool(idle(1), idle(2), idle(3), waiters=(waiter(0, "import Mathlb"),))
    assert assign(view) == Plan(starts=("import Mathlb",))


def test_a_second_header_never_imported_here_waits_for_the_trial_of_the_first() -> None:
    trial = ProcessView(id=4, status=Status.STARTING, header="import X")
    view = pool(idle(1), idle(2), idle(3), trial, waiters=(waiter(0, "import X"), waiter(1, "import Y")))
    assert not assign(view)


def test_after_a_trial_that_went_well_the_least_valuable_repl_goes() -> None:
    members = (idle(1), idle(2, last_used=1), idle(3, last_used=2), idle(4, "import A"))
    view = pool(*members, headers=("import A", ""))
    assert assign(view).retirements == ((1, Retirement.SURPLUS),)


def test_a_warm_repl_is_not_let_go_for_one_that_is_still_starting() -> None:
    starting = ProcessView(id=1, status=Status.STARTING, header="")
    trial = idle(2, "import A")
    assert not assign(pool(starting, trial, size=1, spares=0, headers=("import A", "")))
    plan = assign(pool(idle(1), trial, size=1, spares=0, headers=("import A", "")))
    assert plan.retirements == ((1, Retirement.SURPLUS),)


def test_a_header_whose_repls_are_busy_takes_no_place_before_waiting_as_long_as_a_start_takes() -> None:
    members = (busy(1, "import A"), idle(2), idle(3))
    impatient = pool(*members, waiters=(waiter(0, "import A", waited_seconds=0.9),), headers=("import A", ""))
    assert not assign(impatient)
    patient = pool(*members, waiters=(waiter(0, "import A", waited_seconds=1.0),), headers=("import A", ""))
    assert assign(patient).starts == ("import A",)


def test_a_stream_of_one_header_does_not_starve_another() -> None:
    """With one place for all, the first to wait has it even if the idle REPL would suit the next one."""
    view = pool(
        idle(1, "import A"),
        size=1,
        spares=0,
        waiters=(waiter(0, "import B"), waiter(1, "import A")),
        headers=("import A", "import B"),
    )
    assert assign(view) == Plan(starts=("import B",), retirements=((1, Retirement.HEADER),))


def test_what_is_due_goes_as_soon_as_it_is_idle_and_not_before() -> None:
    due = dataclasses.replace(idle(1), due=Retirement.MEMORY)
    working = dataclasses.replace(busy(2), due=Retirement.MEMORY)
    plan = assign(pool(due, working, idle(3)))
    assert plan.retirements == ((1, Retirement.MEMORY),)
    assert plan.starts == ("",)


def test_over_time_places_are_shared_as_the_headers_are_asked_for() -> None:
    """Each place that becomes free goes to what was asked for last: a draw from the traffic."""
    drawn = Counter(
        assign(pool(busy(1), size=1, headers=("import A", "") if number % 4 == 0 else ("", "import A"))).starts
        for number in range(100)
    )
    assert drawn == {("import A",): 25, ("",): 75}
