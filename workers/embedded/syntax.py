"""The notation, macros and tactics of Lean's own library, found inside the compiled library and bound by name.

Lean's library is compiled into `libleanshared`: each parser that a `syntax` or `notation` command made is a live
`Lean.ParserDescr` object there, and each macro and unexpander a native function. A declaration of the right name with an
`extern` body makes the interpreter use that native value, so the file written here holds names only. It is generated where it
is built and never kept: it belongs to one build of the library.

Must run in a process of its own: it starts Lean's runtime to see the values that start-up makes.
"""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.embedded.errors import CoreBuildError
from workers.embedded.symbols import Symbol, read_symbols

Name = tuple[str, ...]

# Object header of the Lean runtime: int32 reference count, uint16 size, uint8 number of fields, uint8 tag.
_STRING_TAG = 249
_FIELDS = 8
# Lean.ParserDescr's constructors with their number of object fields, in layout order.
_CONST, _UNARY, _BINARY, _NODE, _TRAILING, _SYMBOL, _NONRESERVED, _CAT, _PARSER, _ANTIQUOT, _SEPBY, _SEPBY1, _UNICODE = range(13)
_OBJECT_FIELDS = (1, 2, 3, 3, 4, 1, 1, 2, 1, 3, 3, 3, 2)
# Where a constructor keeps its sub-descriptions.
_CHILDREN: dict[int, tuple[int, ...]] = {
    _UNARY: (1,), _BINARY: (1, 2), _NODE: (2,), _TRAILING: (3,), _ANTIQUOT: (2,), _SEPBY: (0, 2), _SEPBY1: (0, 2),
}  # fmt: skip

# Categories that Lean's library declares itself; the compiler's own parsers know the others.
DECLARED_CATEGORIES = {"conv": " (behavior := both)", "rcasesPat": "", "rintroPat": "", "binderPred": "", "rawStx": ""}

# The first pattern that matches a parser's dotted name gives its syntax category; None leaves the parser out.
_CATEGORY_RULES: tuple[tuple[str, str | None], ...] = (
    (r"_private\..*|.*\._root_\..*|Lean\.Server\..*|Lean\.Meta\..*|Lean\.Linter\..*|Lean\.Elab\.(?!Tactic\.Ext).*", None),
    # Program logic, bit vectors, grind and their like need libraries that the core does not have.
    (r"Lean\.Parser\.Tactic\.(m(?!atch)[a-z]+\w*|vcgen.*|bv[A-Z].*|sym|grind.*|Grind\..*|tacticM.*|tacticBv.*|lia|cutsat)", None),
    (r"Lean\.Parser\.Tactic\.(grobner|suggestions|cbv|decide_cbv|m\w*Pat.*|withImplicit|try.*|impossible)", None),
    (r"Lean\.Parser\.Tactic\.(declareSimpLikeTactic|runTac)|Lean\.Parser\.Attr\.(grind.*|lia.*|spec|cbv.*|sevalproc.*)", None),
    (r"Lean\.(Parser\.Sym|Doc|Json|Widget|Grind|Compiler|Order|Option|PostprocessTraces|PrettyPrinter)\..*", None),
    (r"Lean\.Parser\.(commandSeal__|commandUnseal__)", "command"),
    (r"Lean\.Parser\.(check.*|command.*|cbv.*|colon.*|discrTree.*|equal.*|grind.*|reset.*|simproc.*|timeCmd)", None),
    (r"Lean\.Parser\.Command\.(?!classAbbrev).*|Lean\.Parser\.Term\..*", None),
    (r"Lean\.(run.*|byElab|include.*|builtin.*|command_?.*|testExternCmd|setLib.*|infoTreesCmd|guardPanicCmd)", None),
    (r"Lean\.(term(M!|Macro|Register|Throw).*|doElem.*)|term(Println|S!|Without).*|commandDeclare.*", None),
    (r"Std\..*|Array\..*|BitVec\..*|Vector\..*|Rat\..*|List\..*|Int\..*|DerivingHelpers\..*|String\..*|Bool\..*", None),
    (r"Lean\.Parser\.Tactic\.rcasesPat\..*", "rcasesPat"),
    (r"Lean\.Parser\.Tactic\.rintroPat\..*", "rintroPat"),
    (r"Lean\.Parser\.Tactic\.Conv\.conv", "tactic"),
    (r"Lean\.Parser\.Tactic\.Conv\..*|Lean\.convCalc_", "conv"),
    (r"Lean\.Parser\.Tactic\.(showTermElab|by\?)|Lean\.Parser\.Syntax\.exact\?", "term"),
    (r"Lean\.Parser\.Tactic\..*|Lean\.Elab\.Tactic\.Ext\..*|Lean\.(calcTactic|cdot|solveTactic)", "tactic"),
    (r"Lean\.Parser\.Attr\..*|Lean\.Attr\..*|Lean\.(deprecated.*|suggest_for|univ_out_params)", "attr"),
    (r"Lean\.Parser\.Syntax\.(add|sub)Prec", "prec"),
    (r"Lean\.Parser\.Syntax\.(add|sub)Prio", "prio"),
    (r"Lean\.binderPred.*", "binderPred"),
    (r"Lean\.(guardMsgsCmd|reduceCmd)|Lean\.Parser\.Command\.classAbbrev|command.*", "command"),
    (r"Lean\.(term.*|calc|withAnnotateTerm|modCast)|term.*|boolIfThenElse|coe(Fun|Sort)?Notation|rawNatLit", "term"),
    (r"prec.*", "prec"),
    (r"prio.*", "prio"),
    (r"stx.*", "stx"),
    (r"tactic.*", "tactic"),
)
_CATEGORY_PATTERNS = tuple((re.compile(pattern), category) for pattern, category in _CATEGORY_RULES)

# Constants of the core whose applications are printed with notation; the dots of a name are underscores in its symbol.
UNEXPANDED = (
    "And Or Not Iff Eq Ne HEq Prod PProd Sum PSum List.cons Function.comp GE.ge GT.gt LE.le LT.lt HAdd.hAdd HSub.hSub "
    "HMul.hMul HDiv.hDiv HMod.hMod HPow.hPow HAppend.hAppend HAnd.hAnd HOr.hOr HXor.hXor HShiftLeft.hShiftLeft "
    "HShiftRight.hShiftRight HSMul.hSMul Neg.neg Inv.inv Dvd.dvd BEq.beq bne Bool.and Bool.or Bool.not Membership.mem "
    "Union.union Inter.inter SDiff.sdiff HasSubset.Subset HasSSubset.SSubset HasEquiv.Equiv EmptyCollection.emptyCollection"
).split()
# Unexpanders that were written by hand in Lean's library: (function, constant).
_NAMED_UNEXPANDERS = (
    ("unexpandExists", "Exists"), ("unexpandSigma", "Sigma"), ("unexpandPSigma", "PSigma"), ("unexpandSubtype", "Subtype"),
    ("unexpandListNil", "List.nil"), ("unexpandListCons", "List.cons"), ("unexpandIte", "ite"), ("unexpandProdMk", "Prod.mk"),
    ("unexpandUnit", "Unit.unit"), ("unexpandEqNDRec", "Eq.ndrec"), ("unexpandEqRec", "Eq.rec"), ("unexpandGetElem", "GetElem.getElem"),
    ("unexpandGetElem!", "GetElem?.getElem!"), ("unexpandGetElem?", "GetElem?.getElem?"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One `Lean.ParserDescr` of the library: its name, whether it is a trailing parser, an alternative that only other parsers
    name (no category), and the parsers that it names itself."""

    name: Name
    trailing: bool
    auxiliary: bool
    parsers: frozenset[Name]
    categories: frozenset[Name]


@dataclass(frozen=True, kw_only=True)
class NativeFunction:
    """A macro rule or an unexpander: its own name, what it is for (a syntax kind or a constant), and its order of declaration."""

    name: Name
    target: str
    order: tuple[int, int]


def category_of(name: Name) -> str | None:
    """The syntax category of a parser, or None where the core leaves it out."""
    dotted = ".".join(name)
    for pattern, category in _CATEGORY_PATTERNS:
        if pattern.fullmatch(dotted):
            return category
    return None


def mangle(name: Name) -> str:
    """The C symbol of a Lean constant (`l_` and its components; `Lean.Name.mangle` in Lean's compiler)."""
    return "l_" + "_".join("".join(map(_mangle_char, component)) for component in name)


def _mangle_char(char: str) -> str:
    if char == "_":
        return "__"
    if char.isascii() and char.isalnum():
        return char
    code = ord(char)
    if code < 0x100:
        return f"_x{code:02x}"
    return f"_u{code:04x}" if code < 0x10000 else f"_U{code:08x}"


def unmangle_component(text: str) -> str:
    """The inverse of `mangle` for one component of a name; raises ValueError where `text` is not one."""
    pattern = re.compile(r"__|_x([0-9a-f]{2})|_u([0-9a-f]{4})|_U([0-9a-f]{8})|([A-Za-z0-9]+)")
    out, position = [], 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise ValueError(f"not one mangled component: {text!r}")
        code = match[1] or match[2] or match[3]
        out.append(chr(int(code, 16)) if code else match[4] or "_")
        position = match.end()
    return "".join(out)


def quoted(name: Name) -> str:
    """A name as Lean source: components that are not plain identifiers in double angle quotes."""
    plain = re.compile(r"[A-Za-z_][A-Za-z0-9_'!?]*")
    reserved = {"show", "have", "fun", "match", "let", "sorry", "open", "in", "end", "by", "at", "calc", "suffices", "prefix"}
    return ".".join(c if plain.fullmatch(c) and c not in reserved else f"«{c}»" for c in name)


class LeanHeap:
    """Reads the objects of a started Lean library in this process, checking each address before it is followed."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        self._library.lean_initialize()
        ranges = sorted(_readable_ranges())
        self._starts = [start for start, _ in ranges]
        self._ends = [end for _, end in ranges]

    def pointer(self, symbol: str) -> int:
        """The object that the global variable `symbol` points to."""
        return self._word(ctypes.addressof(ctypes.c_uint64.in_dll(self._library, symbol)))

    def descriptor(self, address: int) -> Descriptor | None:
        """The parser description at `address`, or None where there is none that names itself."""
        tag = self._tag(address)
        if tag not in (_NODE, _TRAILING, _ANTIQUOT) or self._field_count(address) != _OBJECT_FIELDS[tag]:
            return None
        fields = self._object_fields(address)
        name = self.name(fields[1 if tag == _ANTIQUOT else 0])
        if not name:
            return None
        parsers: set[Name] = set()
        categories: set[Name] = set()
        if not self._walk(address, parsers, categories):
            return None
        return Descriptor(
            name=name,
            trailing=tag == _TRAILING,
            auxiliary=tag == _ANTIQUOT,
            parsers=frozenset(parsers),
            categories=frozenset(categories),
        )

    def name(self, address: int) -> Name | None:
        """The `Lean.Name` at `address`; None where it is none, or has a number in it."""
        components: list[str] = []
        while address != 1:
            if self._tag(address) != 1 or self._field_count(address) != 2:
                return None
            address, text = self._object_fields(address)
            component = self._string(text)
            if component is None:
                return None
            components.append(component)
        return tuple(reversed(components))

    def _walk(self, address: int, parsers: set[Name], categories: set[Name]) -> bool:
        tag = self._tag(address)
        if tag is None or tag >= len(_OBJECT_FIELDS) or self._field_count(address) != _OBJECT_FIELDS[tag]:
            return False
        fields = self._object_fields(address)
        if tag in (_PARSER, _CAT):
            name = self.name(fields[0])
            if name is None:
                return False
            (parsers if tag == _PARSER else categories).add(name)
        return all(self._walk(fields[index], parsers, categories) for index in _CHILDREN.get(tag, ()))

    def _string(self, address: int) -> str | None:
        if self._tag(address) != _STRING_TAG:
            return None
        size = self._word(address + 8)
        return ctypes.string_at(address + 32, size - 1).decode("utf-8")

    def _tag(self, address: int) -> int | None:
        return self._word(address) >> 56 if self._readable(address) else None

    def _field_count(self, address: int) -> int:
        return (self._word(address) >> 48) & 0xFF

    def _object_fields(self, address: int) -> list[int]:
        return [self._word(address + _FIELDS * (index + 1)) for index in range(self._field_count(address))]

    def _readable(self, address: int) -> bool:
        if address % 8 or address == 0:
            return False
        index = bisect_right(self._starts, address) - 1
        return index >= 0 and address + 64 <= self._ends[index]

    @staticmethod
    def _word(address: int) -> int:
        return int(ctypes.c_uint64.from_address(address).value)


def _readable_ranges() -> Iterator[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, permissions = line.split()[:2]
        if permissions.startswith("r"):
            start, end = bounds.split("-")
            yield int(start, 16), int(end, 16)


def find_descriptors(heap: LeanHeap, symbols: Iterable[Symbol]) -> dict[Name, Descriptor]:
    """All parser descriptions whose global variable bears their own name."""
    found: dict[Name, Descriptor] = {}
    for symbol in symbols:
        if not symbol.is_data or not symbol.name.startswith("l_"):
            continue
        descriptor = heap.descriptor(heap.pointer(symbol.name))
        if descriptor is not None and mangle(descriptor.name) == symbol.name:
            found[descriptor.name] = descriptor
    return found


# Rules for one kind are tried from the last declared to the first, and so are bound in the order of these files.
_FILE_ORDER = ("Init_Prelude", "Init_Notation", "Init_Tactics", "Init_Meta", "Init_TacticsExtra", "Init_Core")
_MACRO = re.compile(r"_aux_(Init_.*?)___macroRules_(.*)_(\d+)")
_UNEXPANDER = re.compile(r"_aux_(Init_.*?)___unexpand_(.*)_(\d+)")


def find_functions(symbols: Iterable[Symbol], pattern: re.Pattern[str], targets: dict[str, str]) -> list[NativeFunction]:
    """The native functions that `pattern` describes and whose target is one of `targets` (by its name with underscores)."""
    found: list[NativeFunction] = []
    for symbol in symbols:
        if symbol.is_data:
            continue
        match = re.fullmatch(r"l_(?:([A-Za-z_]+?)_)?(__aux__Init__.*)", symbol.name)
        if match is None:
            continue
        try:
            component = unmangle_component(match[2])
        except ValueError:
            continue
        parts = pattern.fullmatch(component)
        if parts is None or parts[2] not in targets:
            continue
        name = (*(match[1].split("_") if match[1] else ()), component)
        if mangle(name) != symbol.name:
            continue
        file = _FILE_ORDER.index(parts[1]) if parts[1] in _FILE_ORDER else len(_FILE_ORDER)
        found.append(NativeFunction(name=name, target=targets[parts[2]], order=(file, int(parts[3]))))
    return sorted(found, key=lambda function: (function.target, function.order, function.name))


def generate(library: Path, *, imports: tuple[str, ...]) -> str:
    """The Lean source that binds the library's syntax. Raises CoreBuildError where the library has none that we know."""
    symbols = read_symbols(library)
    heap = LeanHeap(library)
    descriptors = find_descriptors(heap, symbols)
    functions = {symbol.name for symbol in symbols if not symbol.is_data}
    chosen = _closure(descriptors, functions)
    if not chosen:
        raise CoreBuildError(f"{library} holds no parser descriptions: it is not the Lean library that this release knows")
    kinds = {"_".join(name): quoted(name) for name in chosen}
    macros = find_functions(symbols, _MACRO, kinds)
    unexpanders = find_functions(symbols, _UNEXPANDER, {name.replace(".", "_"): name for name in UNEXPANDED})
    lines = ["prelude", *(f"import {module}" for module in imports), "set_option linter.all false"]
    lines += [f"declare_syntax_cat {category}{behavior}" for category, behavior in DECLARED_CATEGORIES.items()]
    lines += _native_parsers(chosen, descriptors, functions)
    lines += _bound(chosen)
    for macro in macros:
        lines.append(f'@[extern "x", macro {macro.target}] axiom {quoted(macro.name)} : Lean.Macro')
    for unexpander in unexpanders:
        lines.append(
            f'@[extern "x", app_unexpander {unexpander.target}] axiom {quoted(unexpander.name)} : Lean.PrettyPrinter.Unexpander'
        )
    for function, constant in _NAMED_UNEXPANDERS:
        if mangle((function,)) in functions:
            lines.append(f'@[extern "x", app_unexpander {constant}] axiom {quoted((function,))} : Lean.PrettyPrinter.Unexpander')
    return "\n".join(lines) + "\n"


def _closure(descriptors: dict[Name, Descriptor], functions: set[str]) -> dict[Name, Descriptor]:
    """The parsers of a category that we bind, and the auxiliary ones that they name; those that name something unknown are out."""
    complete: dict[Name, bool] = {}

    def usable(name: Name) -> bool:
        if name not in complete:
            complete[name] = True
            descriptor = descriptors.get(name)
            complete[name] = (
                all(map(usable, descriptor.parsers)) if descriptor is not None else mangle(name) in functions or _known(name)
            )
        return complete[name]

    pending = [name for name, d in descriptors.items() if not d.auxiliary and category_of(name) and usable(name)]
    chosen: dict[Name, Descriptor] = {}
    while pending:
        name = pending.pop()
        if name in chosen or name not in descriptors:
            continue
        chosen[name] = descriptors[name]
        pending.extend(descriptors[name].parsers)
    return dict(sorted(chosen.items()))


def _known(name: Name) -> bool:
    return name[:2] == ("Lean", "Parser")


def _native_parsers(chosen: dict[Name, Descriptor], known: dict[Name, Descriptor], functions: set[str]) -> list[str]:
    named = {parser for descriptor in chosen.values() for parser in descriptor.parsers} - known.keys()
    return [f'@[extern "x"] axiom {quoted(name)} : Lean.Parser.Parser' for name in sorted(named)]


def _bound(chosen: dict[Name, Descriptor]) -> list[str]:
    """Declarations first, attributes after: a parser is compiled when its attribute is set, and may name any other."""
    lines = []
    for name, descriptor in chosen.items():
        kind = "Lean.TrailingParserDescr" if descriptor.trailing else "Lean.ParserDescr"
        lines.append(f'@[extern "x"] axiom {quoted(name)} : {kind}')
    for name, descriptor in chosen.items():
        category = None if descriptor.auxiliary else category_of(name)
        if category is not None:
            lines.append(f"attribute [{category}_parser 1000] {quoted(name)}")
    return lines


Generate = Callable[[Path], str]
