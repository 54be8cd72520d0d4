"""Commands by which a text could answer for Lean: those that define syntax, or run programs while Lean elaborates.

The first line of the `command` strength: a text that has one is not run. They are found by reading the text, not by
parsing it: what looks like one is one. The list is one of what we know.
"""

import re
from collections.abc import Iterator
from itertools import chain

from producer.header import split_header
from producer.theorems import comment_end

# Before and after a word, what Lean takes for a part of it; of Lean's letters no more than ASCII's, since what is not
# one of them (`x⁻¹macro`) ends a word, too. A dot before it is a field's.
_BEFORE, _AFTER = r"(?<![A-Za-z0-9_])(?<![^\s\d(\[{,.]\.)", r"(?![A-Za-z0-9_'])"
_FORBIDDEN = re.compile(
    rf"{_BEFORE}(?:"
    r"macro(?:_rules)?|syntax|declare_syntax_cat|notation3?|infix[lr]?|prefix|postfix|elab(?:_rules)?|(?:builtin_)?"
    r"initialize|run_cmd|run_elab|run_meta|run_tac|by_elab|\w{0,40}simprocs?(?:_\w+)?|unsafe|implemented_by|"
    r"extern|export|csimp|native_decide|\+native|native(?=\s*:=)|local\s+instance|attribute|debug\.\w+|import|"
    r"(?:open|namespace)(?:\s+(?!(?:open|namespace)\s)[\w.'(),→]+)*?\s+(?:_root_\.)?(?:Lean|IO|System)|"
    r"set_option\s+pp|unification_hint|unif_hint|"
    r"(?:builtin_)?(?:command|term|tactic)_(?:elab|parser)|binder_predicate|register_\w+|\w{0,40}[dD]elab(?:orator)?|app_unexpander"
    rf"){_AFTER}"
    r"|@\[[^\]@]*(?:@(?!\[)[^\]@]*)*\b(?:init|tactic|norm_num|positivity)\b"
    # Right behind a name, too: `x#eval 1` is two commands' words.
    rf"|#(?:eval!?|html|exit|guard){_AFTER}"
    # Tactics evaluate terms (their options, what is decided natively); with these a pure term may have effects.
    r"|(?<![A-Za-z0-9_])(?:(?:Lean|IO|System)\.\w+|CommandElabM|MetaM|TacticM|CoreM)"
)
# Commands of which more than one word decides, as they begin; between their words may be comments.
_FIRST_WORDS = ("open", "namespace", "local", "set_option")
_BEGINS = re.compile(rf"{_BEFORE}(?:{'|'.join(_FIRST_WORDS)}){_AFTER}|@\[")
_PART = re.compile(r"[\w.'!?]+|[(),→]")
_ATTRIBUTE_PART = re.compile(r"[\w.'!?]+|[^\s\]]")
_GAP = re.compile(r"\s+|--[^\n]*")
# What ends without a blank: a word that follows at once is one of its own (`1macro`, `p.1macro`, `'a'macro`).
_LITERAL = re.compile(
    r"(?<![0-9A-Za-z_'])(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*+(?:\.\d*+)?(?:[eE][+-]?\d++)?)(?=[A-Za-z#@])"
    r"|'(?:\\[^'\n]+|[^\\'\n])'(?=\w)"
)


def forbidden_commands(text: str) -> Iterator[str]:
    """Commands behind a text's imports, by which a candidate could change what Lean says of it; each once."""
    body = split_header(text).body
    found: dict[str, None] = {}
    # A name means the same with guillemets around a part of it (`set_option «debug».skipKernelTC true`), and they end
    # a word. Of what a view makes up beside that, nothing but a refusal can come.
    for view in dict.fromkeys(
        (body, re.sub("[«»]", "", body), re.sub("[«»]", " ", body), _LITERAL.sub(r"\g<0> ", body))
    ):
        commands = (_without_comments(view, start) for start in _BEGINS.finditer(view))
        for each in chain(_FORBIDDEN.finditer(view), *map(_FORBIDDEN.finditer, commands)):
            words = re.sub("[«»]", " ", each[0]).split()
            found[f"@[{words[-1].removeprefix('@[')}" if words[0].startswith("@[") else " ".join(words)] = None
    yield from found


def _without_comments(code: str, start: re.Match[str]) -> str:
    """A command's first words, one blank between each: read from its beginning, where nothing else is open.

    They end where the next one begins, which is read by itself: a text of nothing but beginnings must not take long.
    """
    words, at = [start[0]], start.end()
    is_attribute = start[0] == "@["
    part = _ATTRIBUTE_PART if is_attribute else _PART
    while at < len(code):
        if code.startswith("/-", at):
            at = comment_end(code, at + 2)
        elif (gap := _GAP.match(code, at)) is not None:
            at = gap.end()
        elif (word := part.match(code, at)) is not None:
            if code.startswith("@[", at) if is_attribute else word[0] in _FIRST_WORDS:
                break
            words.append(word[0])
            at = word.end()
        else:
            break
    return " ".join(words)
