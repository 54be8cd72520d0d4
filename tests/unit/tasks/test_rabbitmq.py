"""What is said of a RabbitMQ, from what it tells of itself."""

from producer.requirements import Finding, Level
from tasks.rabbitmq import RabbitFacts, judge_rabbit


def judged(facts: RabbitFacts) -> dict[str, Finding]:
    return {finding.subject: finding for finding in judge_rabbit(facts, queue="q")}


def test_a_server_of_today_is_fine() -> None:
    findings = judged(RabbitFacts(product="RabbitMQ", version=(4, 1, 0), queue="right"))
    assert {finding.level for finding in findings.values()} == {Level.FINE}


def test_a_server_without_quorum_queues_is_no_broker() -> None:
    (finding,) = judge_rabbit(RabbitFacts(product="RabbitMQ", version=(3, 7, 28)), queue="q")
    assert finding.level is Level.ERROR
    assert "3.12" in finding.advice


def test_a_queue_of_another_kind_is_an_error_that_says_what_to_do() -> None:
    finding = judged(RabbitFacts(product="RabbitMQ", version=(4, 0), queue="wrong", difference="x-queue-type"))["queue"]
    assert finding.level is Level.ERROR
    assert "delete it" in finding.advice


def test_a_timeout_that_only_the_server_can_set_is_a_warning() -> None:
    findings = judged(RabbitFacts(product="RabbitMQ", version=(3, 10, 8)))
    assert findings["consumer timeout"].level is Level.WARNING
    assert "rabbitmq.conf" in findings["consumer timeout"].advice


def test_who_is_not_let_in_is_told_so() -> None:
    (finding,) = judge_rabbit(RabbitFacts(product="RabbitMQ", version=(), refusal="ACCESS_REFUSED"), queue="q")
    assert finding.level is Level.ERROR
    assert "LEANFLEET_BROKER_URL" in finding.advice
