"""Which syntax category each parser of Lean's library belongs to, and which parsers the core leaves out.

The compiled library does not say: `attribute [term_parser]` and its like lived in files that are not shipped. The names
do, by the conventions that Lean's library keeps; the few exceptions stand before the rules that they break.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.embedded.mangling import Name

# Categories that Lean's library declares, with how identifiers behave at their start; the compiler has the others.
DECLARED = {"conv": " (behavior := both)", "rcasesPat": "", "rintroPat": "", "binderPred": "", "rawStx": ""}

_TACTIC = r"Lean\.Parser\.Tactic\."
_ATTRIBUTE = r"Lean\.Parser\.Attr\."

# Dotted name → category; None leaves a parser out. The first pattern that matches the whole name decides.
_RULES: tuple[tuple[str, str | None], ...] = (
    # Of the compiler's own modules, and not of the library that a file sees.
    (r"_private\..*|.*\._root_\..*|Lean\.(Server|Meta|Linter|Doc|Json|Widget|Compiler|Option)\..*", None),
    (r"Lean\.Elab\.(?!Tactic\.Ext).*|Lean\.(PostprocessTraces|PrettyPrinter)\..*", None),
    # Program logic, bit vectors, grind and their like need libraries that the core does not have.
    (_TACTIC + r"(m(?!atch)[a-z]+\w*|m\w*Pat.*|vcgen.*|bv[A-Z].*|sym|grind.*|Grind\..*|tacticM.*|tacticBv.*)", None),
    (_TACTIC + r"(lia|cutsat|grobner|suggestions|cbv|decide_cbv|withImplicit|try.*|impossible)", None),
    (_ATTRIBUTE + r"(grind.*|lia.*|spec|cbv.*|sevalproc.*)|Lean\.(Parser\.Sym|Grind|Order)\..*", None),
    # Metaprograms would need the compiler's interface as a library.
    (_TACTIC + r"(declareSimpLikeTactic|runTac)|Lean\.(run.*|byElab|include.*|builtin.*|command_?.*)", None),
    (r"Lean\.(testExternCmd|setLib.*|infoTreesCmd|guardPanicCmd|doElem.*|term(M!|Macro|Register|Throw).*)", None),
    (r"Lean\.Parser\.(commandSeal__|commandUnseal__)|Lean\.Parser\.Command\.classAbbrev", "command"),
    (r"Lean\.Parser\.(check|command|cbv|colon|discrTree|equal|grind|reset|simproc|timeCmd).*", None),
    (r"Lean\.Parser\.(Command|Term)\..*|term(Println|S!|Without).*|commandDeclare.*", None),
    (r"(Std|Array|BitVec|Vector|Rat|List|Int|DerivingHelpers|String|Bool)\..*", None),
    (_TACTIC + r"rcasesPat\..*", "rcasesPat"),
    (_TACTIC + r"rintroPat\..*", "rintroPat"),
    (_TACTIC + r"Conv\.conv", "tactic"),
    (_TACTIC + r"Conv\..*|Lean\.convCalc_", "conv"),
    (_TACTIC + r"(showTermElab|by\?)|Lean\.Parser\.Syntax\.exact\?", "term"),
    (_TACTIC + r".*|Lean\.Elab\.Tactic\.Ext\..*|Lean\.(calcTactic|cdot|solveTactic)", "tactic"),
    (_ATTRIBUTE + r".*|Lean\.Attr\..*|Lean\.(deprecated.*|suggest_for|univ_out_params)", "attr"),
    (r"Lean\.Parser\.Syntax\.(add|sub)Prec", "prec"),
    (r"Lean\.Parser\.Syntax\.(add|sub)Prio", "prio"),
    (r"Lean\.binderPred.*", "binderPred"),
    (r"Lean\.(guardMsgsCmd|reduceCmd)|command.*", "command"),
    (r"Lean\.(term.*|calc|withAnnotateTerm|modCast)|term.*|boolIfThenElse|coe(Fun|Sort)?Notation|rawNatLit", "term"),
    (r"prec.*", "prec"),
    (r"prio.*", "prio"),
    (r"stx.*", "stx"),
    (r"tactic.*", "tactic"),
)
_PATTERNS = tuple((re.compile(pattern), category) for pattern, category in _RULES)


def category_of(name: Name) -> str | None:
    """The syntax category of a parser, or None where the core leaves it out."""
    dotted = ".".join(name)
    return next((category for pattern, category in _PATTERNS if pattern.fullmatch(dotted)), None)
