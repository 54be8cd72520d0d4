"""The notation, macros and tactics of Lean's own library, found inside the compiled library and bound by name.

Each parser is a live object of the compiled library, and each macro and unexpander a native function. A declaration of
the right name with an `extern` body makes Lean's interpreter use that value, so the file written here holds names only.
It is generated where it is built and never kept: it belongs to one build of the library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.embedded.categories import DECLARED, category_of
from workers.embedded.errors import CoreBuildError
from workers.embedded.heap import Descriptor, Heap
from workers.embedded.mangling import Name, mangle, quoted, unmangle_component
from workers.embedded.symbols import Symbol, read_symbols

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

# Constants of the core whose applications are printed with notation.
_UNEXPANDED = (
    "And", "Or", "Not", "Iff", "Eq", "Ne", "HEq", "Prod", "PProd", "Sum", "PSum", "List.cons", "Function.comp",
    "GE.ge", "GT.gt", "LE.le", "LT.lt", "HAdd.hAdd", "HSub.hSub", "HMul.hMul", "HDiv.hDiv", "HMod.hMod",
    "HPow.hPow", "HAppend.hAppend", "HAnd.hAnd", "HOr.hOr", "HXor.hXor", "HShiftLeft.hShiftLeft",
    "HShiftRight.hShiftRight", "HSMul.hSMul", "Neg.neg", "Inv.inv", "Dvd.dvd", "BEq.beq", "bne", "Bool.and",
    "Bool.or", "Bool.not", "Membership.mem", "Union.union", "Inter.inter", "SDiff.sdiff", "HasSubset.Subset",
    "HasSSubset.SSubset", "HasEquiv.Equiv", "EmptyCollection.emptyCollection",
)  # fmt: skip
# Unexpanders that have a name of their own in Lean's library.
_NAMED_UNEXPANDERS = {
    "unexpandExists": "Exists",
    "unexpandSigma": "Sigma",
    "unexpandPSigma": "PSigma",
    "unexpandSubtype": "Subtype",
    "unexpandListNil": "List.nil",
    "unexpandListCons": "List.cons",
    "unexpandIte": "ite",
    "unexpandProdMk": "Prod.mk",
    "unexpandUnit": "Unit.unit",
    "unexpandEqNDRec": "Eq.ndrec",
    "unexpandEqRec": "Eq.rec",
    "unexpandGetElem": "GetElem.getElem",
    "unexpandGetElem!": "GetElem?.getElem!",
    "unexpandGetElem?": "GetElem?.getElem?",
}
_GENERATED = re.compile(r"l_(?:([A-Za-z_]+?)_)?(__aux__Init__.*)")
_MACRO = re.compile(r"_aux_(Init_.*?)___macroRules_(.*)_(\d+)")
_UNEXPANDER = re.compile(r"_aux_(Init_.*?)___unexpand_(.*)_(\d+)")
# Rules for one kind are tried from the last declared to the first; those of files not listed come last.
_FILE_ORDER = ("Init_Prelude", "Init_Notation", "Init_Tactics", "Init_Meta", "Init_TacticsExtra", "Init_Core")


@dataclass(frozen=True, kw_only=True)
class NativeFunction:
    """A macro rule or an unexpander of the library."""

    name: Name
    target: str  # the syntax kind, or the constant, that it is for: as Lean source
    order: tuple[int, int]  # of declaration: place of its file, number in it


def generate(library: Path, *, imports: Collection[str]) -> str:
    """The Lean source that binds the syntax of `library`, which is started in this process (at most once in one).

    Raises CoreBuildError where the library holds no parsers, UnsupportedPlatformError where it is not an ELF library.
    """
    symbols = read_symbols(library)
    functions = {symbol.name for symbol in symbols if not symbol.is_data}
    found = Heap(library).descriptors(symbols)
    bound = choose(found, functions)
    if not bound:
        raise CoreBuildError(f"{library} holds no parsers: it is not the build of Lean that this release knows")
    macros = find_functions(symbols, _MACRO, {"_".join(name): quoted(name) for name in bound})
    unexpanders = find_functions(symbols, _UNEXPANDER, {name.replace(".", "_"): name for name in _UNEXPANDED})
    lines = ["prelude", *(f"import {module}" for module in imports), "set_option linter.all false"]
    lines += [f"declare_syntax_cat {category}{behavior}" for category, behavior in DECLARED.items()]
    lines += _parser_lines(bound, found)
    lines += [_native(macro.name, "Lean.Macro", f"macro {macro.target}") for macro in macros]
    pairs = [(unexpander.name, unexpander.target) for unexpander in unexpanders]
    pairs += [((name,), target) for name, target in _NAMED_UNEXPANDERS.items() if mangle((name,)) in functions]
    lines += [_native(name, "Lean.PrettyPrinter.Unexpander", f"app_unexpander {target}") for name, target in pairs]
    return "\n".join(lines) + "\n"


def choose(found: Mapping[Name, Descriptor], functions: Collection[str]) -> dict[Name, Descriptor]:
    """The parsers that have a category, and the auxiliary ones that they name or contain, directly or not.

    `functions` are the library's symbols: a parser may name one that is written as a native function. Left out is what
    names something that is neither.
    """
    complete: dict[Name, bool] = {}

    def is_complete(name: Name) -> bool:
        if name not in complete:
            complete[name] = True  # a parser may name itself
            descriptor = found.get(name)
            if descriptor is None:
                complete[name] = mangle(name) in functions or name[:2] == ("Lean", "Parser")
            else:
                complete[name] = all(map(is_complete, descriptor.parsers))
        return complete[name]

    pending = [name for name, d in found.items() if not d.auxiliary and category_of(name) and is_complete(name)]
    chosen: dict[Name, Descriptor] = {}
    while pending:
        name = pending.pop()
        if name not in chosen and name in found:
            chosen[name] = found[name]
            pending.extend(found[name].parsers | found[name].parts)
    return dict(sorted(chosen.items()))


def find_functions(
    symbols: Iterable[Symbol], pattern: re.Pattern[str], targets: Mapping[str, str]
) -> list[NativeFunction]:
    """The functions whose name `pattern` parses and whose target is a key of `targets`, in order of declaration."""
    found: list[NativeFunction] = []
    for symbol in symbols:
        match = None if symbol.is_data else _GENERATED.fullmatch(symbol.name)
        if match is None:
            continue
        try:
            component = unmangle_component(match[2])
        except ValueError:
            continue
        name = (*(match[1].split("_") if match[1] else ()), component)
        parts = pattern.fullmatch(component)
        if parts is None or parts[2] not in targets or mangle(name) != symbol.name:
            continue
        place = _FILE_ORDER.index(parts[1]) if parts[1] in _FILE_ORDER else len(_FILE_ORDER)
        found.append(NativeFunction(name=name, target=targets[parts[2]], order=(place, int(parts[3]))))
    return sorted(found, key=lambda function: (function.target, function.order, function.name))


def _parser_lines(bound: Mapping[Name, Descriptor], found: Collection[Name]) -> list[str]:
    """Declarations first, attributes after: setting the attribute compiles a parser, which may name any other."""
    written_as_functions = {named for descriptor in bound.values() for named in descriptor.parsers} - set(found)
    lines = [_native(name, "Lean.Parser.Parser") for name in sorted(written_as_functions)]
    for name, descriptor in bound.items():
        lines.append(_native(name, "Lean.TrailingParserDescr" if descriptor.trailing else "Lean.ParserDescr"))
    for name, descriptor in bound.items():
        category = None if descriptor.auxiliary else category_of(name)
        # The hooks make what prints the syntax; a category's attribute runs them too.
        attribute = f"{category}_parser 1000" if category is not None else "run_parser_attribute_hooks"
        lines.append(f"attribute [{attribute}] {quoted(name)}")
    return lines


def _native(name: Name, kind: str, attribute: str = "") -> str:
    """The name in `extern` is never used: the interpreter looks for the symbol of the declaration itself."""
    attributes = f'extern "native", {attribute}' if attribute else 'extern "native"'
    return f"@[{attributes}] axiom {quoted(name)} : {kind}"
