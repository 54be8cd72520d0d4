"""One attempt to be called proved without a proof, or an honest proof that looks like one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`reason` is the beginning of one of the reasons that must be given; for an error, of the only one.

    `needs` names what the embedded core cannot express. Such an attempt is run where a real toolchain is configured.
    """

    name: str
    proof: str
    statement: str = "theorem t : 1 = 2 := sorry"
    verdict: str = "not_proved"
    reason: str = ""
    theorem: str = ""
    needs: str = ""
    timeout_seconds: float = 120.0  # far more than any needs; one that is to take too long says so
