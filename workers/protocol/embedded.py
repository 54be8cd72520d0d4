"""The embedded Lean's protocol: the community REPL's."""

from workers.protocol.community import CommunityAdapter


class EmbeddedAdapter(CommunityAdapter):
    name = "embedded"
    loads_onto_commands = True
