"""`python -m tests.infra.rights`: writes the rights of the broker's users on AWS, from those of `leanfleet broker acl`.

Names are left open: USER and QUEUE, which the Terraform module puts in.
"""

import json

from tasks.rights import Role, rules
from tests.infra.terraform import ROOT

FILE = ROOT / "modules/aws/broker/files/rights.json"
# Amazon's users begin with no rights at all.
_RESETS = ("resetkeys", "resetchannels")


def expected() -> str:
    """The text of FILE."""
    rights = {
        role.value: " ".join(rule for rule in rules(role, "USER", "QUEUE") if rule not in _RESETS) for role in Role
    }
    return json.dumps(rights, indent=2) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(expected(), encoding="utf-8")
