"""The attempts, by what they try. Add to it whatever is seen in the wild."""

from tests.adversarial.attempt import Attempt

TRUE = "theorem t (n : Nat) : n < n + 1 := sorry"
DOUBLE = "def double (n : Nat) : Nat := n + n\ntheorem t : ∀ n, double n = n := sorry"
TREE = "inductive Tree | leaf | node (l r : Tree)\n"
METAPROGRAMS = "metaprograms: the core library lacks the types of the elaborator"
CORE_TERMS = "Init's own modules: the core library lacks what these elaborate to"

AXIOMS = [
    Attempt(name="axiom", proof="axiom cheat : 1 = 2\ntheorem t : 1 = 2 := cheat", reason="forbidden_axiom: cheat"),
    Attempt(name="axiom false", proof="axiom no : False\ntheorem t : 1 = 2 := no.elim", reason="forbidden_axiom: no"),
    Attempt(
        name="axiom through a chain of lemmas",
        proof="axiom a : False\ntheorem b : False := a\ntheorem c : 1 = 2 := b.elim\ntheorem t : 1 = 2 := c",
        reason="forbidden_axiom: a",
    ),
    Attempt(name="the theorem as an axiom", proof="axiom t : 1 = 2", reason="not_a_theorem: t"),
    Attempt(
        name="private axiom",
        proof="private axiom cheat : 1 = 2\ntheorem t : 1 = 2 := cheat",
        reason="forbidden_axiom: _private",
    ),
    Attempt(
        name="axiom in a namespace that is like Lean's",
        proof="namespace Mine\naxiom propext : 1 = 2\nend Mine\ntheorem t : 1 = 2 := Mine.propext",
        reason="forbidden_axiom: Mine.propext",
    ),
    Attempt(
        name="axiom that shadows propext by namespace",
        proof="namespace N\naxiom propext : False\ntheorem u : 1 = 2 := propext.elim\nend N\ntheorem t : 1 = 2 := N.u",
        reason="forbidden_axiom: N.propext",
    ),
    Attempt(
        name="axiom whose name is two components written as one",
        proof="axiom «Classical.choice» : False\ntheorem t : 1 = 2 := «Classical.choice».elim",
        reason="forbidden_axiom: Classical.choice",
    ),
    Attempt(
        name="axiom as an instance",
        proof="class Magic : Prop where out : 1 = 2\naxiom magic : Magic\nattribute [instance] magic\n"
        "theorem t : 1 = 2 := Magic.out",
        reason="forbidden_axiom: magic",
    ),
    Attempt(
        name="axiom inside of a definition that is used as data",
        proof="axiom cheat : ∀ n m : Nat, n = m\ndef box : PLift (1 = 2) := ⟨cheat 1 2⟩\ntheorem t : 1 = 2 := box.down",
        reason="forbidden_axiom: cheat",
    ),
    Attempt(
        name="inconsistent axiom about the statement's definition",
        statement=DOUBLE,
        proof="def double (n : Nat) : Nat := n + n\naxiom h (n : Nat) : double n = n\ntheorem t : ∀ n, double n = n := h",
        reason="forbidden_axiom: h",
    ),
    Attempt(
        name="unsafe axiom",
        proof="unsafe axiom cheat : 1 = 2\ntheorem t : 1 = 2 := cheat",
        reason="lean_error",
    ),
    Attempt(
        name="axiom that a statement declares is not allowed by that",
        statement="axiom given : 1 = 2\ntheorem t : 1 = 2 := sorry",
        proof="axiom given : 1 = 2\ntheorem t : 1 = 2 := given",
        reason="forbidden_axiom: given",
    ),
]

SORRIES = [
    Attempt(name="sorry", proof="theorem t : 1 = 2 := sorry", reason="contains_sorry"),
    Attempt(name="sorry in a tactic", proof="theorem t : 1 = 2 := by sorry", reason="contains_sorry"),
    Attempt(name="admit", proof="theorem t : 1 = 2 := by admit", reason="contains_sorry"),
    Attempt(name="sorryAx by name", proof="theorem t : 1 = 2 := sorryAx (1 = 2) false", reason="contains_sorry"),
    Attempt(
        name="sorryAx marked synthetic, which gives no warning",
        proof="theorem t : 1 = 2 := sorryAx (1 = 2) true",
        reason="contains_sorry",
    ),
    Attempt(
        name="sorry in a lemma of another name",
        proof="theorem helper : 1 = 2 := sorry\ntheorem t : 1 = 2 := helper",
        reason="contains_sorry",
    ),
    Attempt(
        name="sorry in an instance",
        proof="class Magic : Prop where out : 1 = 2\ninstance : Magic := ⟨sorry⟩\ntheorem t : 1 = 2 := Magic.out",
        reason="contains_sorry",
    ),
    Attempt(
        name="sorry with its warning turned off",
        proof="set_option warn.sorry false\ntheorem t : 1 = 2 := sorry",
        reason="contains_sorry",
    ),
    Attempt(
        name="sorry hidden behind an abbreviation",
        proof="abbrev later {p : Prop} : p := sorryAx p true\ntheorem t : 1 = 2 := later",
        reason="contains_sorry",
    ),
    Attempt(
        name="sorry in a let that is not needed",
        proof="theorem t (n : Nat) : n < n + 1 := let _unused : 1 = 2 := sorry; Nat.lt_succ_self n",
        statement=TRUE,
        reason="contains_sorry",
    ),
    Attempt(
        name="stop before the end",
        proof="theorem t : 1 = 2 := by\n  stop\n  rfl",
        reason="contains_sorry",
    ),
    Attempt(
        name="an opaque constant that nobody implements",
        proof="opaque cheat : 1 = 2\ntheorem t : 1 = 2 := cheat",
        reason="lean_error",
    ),
]

COMPUTATION = [
    Attempt(name="native_decide", proof="theorem t : 1 = 2 := by native_decide", reason="lean_error"),
    Attempt(
        name="ofReduceBool by name",
        proof="theorem t : 1 = 2 := Lean.ofReduceBool _ _ rfl",
        reason="lean_error",
    ),
    Attempt(
        name="trustCompiler by name",
        proof="theorem t : 1 = 2 := Lean.trustCompiler.elim",
        reason="lean_error",
    ),
    Attempt(
        name="implemented_by tells another value",
        proof="def lie (n : Nat) : Bool := true\n@[implemented_by lie] def even (n : Nat) : Bool := n % 2 == 0\n"
        "theorem t : 1 = 2 := by\n  have : even 1 = true := by decide\n  contradiction",
        reason="lean_error",
    ),
    Attempt(
        name="a foreign function",
        proof='@[extern "lean_nat_sub"] def plus (a b : Nat) : Nat := a + b\ntheorem t : 1 = 2 := by\n'
        "  have : plus 1 1 = 0 := by decide\n  contradiction",
        reason="lean_error",
    ),
    Attempt(
        name="skipped kernel check",
        proof="set_option debug.skipKernelTC true\ntheorem t : 1 = 2 := by\n  exact (rfl : 1 = 1)",
        reason="lean_error",
    ),
    Attempt(
        name="decide with the kernel on a false claim",
        proof="theorem t : 1 = 2 := by decide +kernel",
        reason="lean_error",
    ),
    Attempt(
        name="skipped kernel check with decide",
        proof="set_option debug.skipKernelTC true\ntheorem t : 1 = 2 := by decide +kernel",
        reason="kernel_rejected",
    ),
    Attempt(
        name="skipped kernel check with a type ascribed by show",
        proof="set_option debug.skipKernelTC true in\ntheorem t : 1 = 2 := by\n  show 1 = 2\n  exact of_decide_eq_true rfl",
        reason="lean_error",
    ),
    *(
        Attempt(
            name=f"skipped kernel check, spelt {option}",
            proof=f"set_option {option} true\ntheorem t : 1 = 2 := by decide +kernel",
            reason="kernel_rejected",
        )
        for option in ("debug.«skipKernelTC»", "«debug».skipKernelTC")
    ),
    Attempt(
        name="unsafe recursion",
        proof="unsafe def loop : 1 = 2 := loop\ntheorem t : 1 = 2 := loop",
        reason="lean_error",
    ),
    Attempt(
        name="partial recursion",
        proof="partial def loop : 1 = 2 := loop\ntheorem t : 1 = 2 := loop",
        reason="lean_error",
    ),
    Attempt(name="recursion that does not end", proof="theorem t : 1 = 2 := t", reason="lean_error"),
    Attempt(
        name="recursion through a later theorem",
        proof="mutual\ntheorem t : 1 = 2 := u\ntheorem u : 1 = 2 := t\nend",
        reason="lean_error",
    ),
    Attempt(
        name="a type that is not strictly positive",
        proof="inductive Bad | mk (f : Bad → False)\ntheorem u (b : Bad) : False := by cases b with | mk f => exact f (.mk f)\n"
        "theorem t : 1 = 2 := (u (.mk u)).elim",
        reason="lean_error",
    ),
]

STATEMENTS = [
    Attempt(name="another theorem of the same name", proof="theorem t : 1 = 1 := rfl", reason="statement_mismatch"),
    Attempt(name="the theorem is missing", proof="theorem u : 1 = 1 := rfl", reason="missing_declaration: t"),
    Attempt(name="an empty proof", proof=" ", reason="lean_error"),
    Attempt(name="an example", proof="example : 1 = 1 := rfl", reason="missing_declaration: t"),
    Attempt(
        name="the theorem in a namespace",
        statement=TRUE,
        proof="namespace N\ntheorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n\nend N",
        reason="missing_declaration: t",
    ),
    Attempt(
        name="a definition instead of a theorem",
        statement=TRUE,
        proof="def t (n : Nat) : n < n + 1 := Nat.lt_succ_self n",
        reason="not_a_theorem: t",
    ),
    Attempt(
        name="a private theorem of that name",
        proof="private theorem t : 1 = 1 := rfl",
        reason="missing_declaration: t",
    ),
    Attempt(
        name="a constructor of that name",
        statement="theorem T.t : True := sorry",
        proof="inductive T : Prop | t",
        reason="not_a_theorem: T.t",
    ),
    Attempt(
        name="a weaker statement by one hypothesis",
        statement="theorem t (n : Nat) : n = 0 := sorry",
        proof="theorem t (n : Nat) (h : n = 0) : n = 0 := h",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a hypothesis by variable",
        statement="theorem t (n : Nat) : n = 0 := sorry",
        proof="variable (h : ∀ n : Nat, n = 0)\ninclude h in\ntheorem t (n : Nat) : n = 0 := h n",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a hypothesis by an instance in brackets",
        statement="theorem t (n : Nat) : n = 0 := sorry",
        proof="class Zero' : Prop where out : ∀ n : Nat, n = 0\ntheorem t [Zero'] (n : Nat) : n = 0 := Zero'.out n",
        reason="statement_mismatch",
    ),
    Attempt(
        name="an auto-bound implicit instead of a constant",
        statement="def target : Nat := 3\ntheorem t : target = 4 := sorry",
        proof="def target : Nat := 3\nset_option autoImplicit true in\ntheorem t {target' : Nat} (h : target' = 4) : target' = 4 := h",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a misspelt name that is bound automatically",
        statement="def Prime' (n : Nat) : Prop := 1 < n ∧ ∀ m, m ∣ n → m = 1 ∨ m = n\ntheorem t : Prime' 4 := sorry",
        proof="def Prime' (n : Nat) : Prop := 1 < n ∧ ∀ m, m ∣ n → m = 1 ∨ m = n\nset_option autoImplicit true\n"
        "theorem t {Prime'' : Nat → Prop} (h : ∀ n, Prime'' n) : Prime'' 4 := h 4",
        reason="statement_mismatch",
    ),
    Attempt(
        name="one universe instead of all",
        statement="theorem t.{u} (α : Sort u) (a b : α) (h : a = b) : b = a := sorry",
        proof="theorem t (α : Type) (a b : α) (h : a = b) : b = a := h.symm",
        reason="statement_mismatch",
    ),
    Attempt(
        name="universes exchanged",
        statement="theorem t.{u, v} (α : Sort u) (β : Sort v) (a : α) (b : β) : a = a := sorry",
        proof="theorem t.{v, u} (α : Sort u) (β : Sort v) (a : α) (b : β) : a = a := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a redefinition that keeps the type",
        statement=DOUBLE,
        proof="def double (n : Nat) : Nat := n\ntheorem t : ∀ n, double n = n := fun _ => rfl",
        reason="statement_mismatch: double is defined otherwise",
    ),
    Attempt(
        name="a predicate that is always true",
        statement="def Good (n : Nat) : Prop := n = 0\ntheorem t : Good 7 := sorry",
        proof="def Good (_ : Nat) : Prop := True\ntheorem t : Good 7 := True.intro",
        reason="statement_mismatch: Good is defined otherwise",
    ),
    Attempt(
        name="an inductive predicate with one constructor more",
        statement="inductive Even : Nat → Prop | zero : Even 0 | two n : Even n → Even (n + 2)\ntheorem t : Even 3 := sorry",
        proof="inductive Even : Nat → Prop | zero : Even 0 | two n : Even n → Even (n + 2) | three : Even 3\n"
        "theorem t : Even 3 := .three",
        reason="statement_mismatch: Even has other constructors",
    ),
    Attempt(
        name="an inductive predicate with a weaker constructor",
        statement="inductive Even : Nat → Prop | zero : Even 0 | two n : Even n → Even (n + 2)\ntheorem t : Even 3 := sorry",
        proof="inductive Even : Nat → Prop | zero : Even 0 | two n : Even n → Even (n + 3)\ntheorem t : Even 3 := .two 0 .zero",
        reason="statement_mismatch: Even has another type",
    ),
    Attempt(
        name="a structure with a field less",
        statement="structure Group' where\n  one : Nat\n  law : one = 1\ntheorem t (g : Group') : g.one = 2 := sorry",
        proof="structure Group' where\n  one : Nat\n  law : one = 2\ntheorem t (g : Group') : g.one = 2 := g.law",
        reason="statement_mismatch: Group'",
    ),
    Attempt(
        name="a definition turned into an axiom-like opaque",
        statement=DOUBLE,
        proof="opaque double (n : Nat) : Nat\ntheorem t : ∀ n, double n = n := sorry",
        reason="statement_mismatch: double is an opaque",
    ),
    Attempt(
        name="an instance of the statement's class with another meaning",
        statement="structure P where n : Nat\ninstance : LT P := ⟨fun a b => a.n < b.n⟩\ntheorem t (a : P) : a < a := sorry",
        proof="structure P where n : Nat\ninstance : LT P := ⟨fun _ _ => True⟩\ntheorem t (a : P) : a < a := True.intro",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a local instance that changes the numerals",
        statement="theorem t : (3 : Nat) = 4 := sorry",
        proof="local instance (priority := 100000) (n : Nat) : OfNat Nat n := ⟨0⟩\ntheorem t : (3 : Nat) = 4 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a local instance that changes addition",
        statement="theorem t : (1 : Nat) + 1 = 3 := sorry",
        proof="local instance (priority := 100000) : HAdd Nat Nat Nat := ⟨fun _ _ => 3⟩\ntheorem t : (1 : Nat) + 1 = 3 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a shadowed Nat",
        statement="theorem t : ∀ n m : Nat, n = m := sorry",
        proof="namespace N\ninductive Nat | one\ntheorem u : ∀ n m : Nat, n = m := fun .one .one => rfl\nend N\nopen N\n"
        "theorem t : ∀ n m : N.Nat, n = m := N.u",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a shadowed Eq",
        proof="namespace N\ninductive Eq : Nat → Nat → Prop | any a b : Eq a b\nend N\ntheorem t : N.Eq 1 2 := .any 1 2",
        reason="statement_mismatch",
    ),
    Attempt(
        name="Nat declared again",
        proof="inductive Nat | one\ntheorem t : 1 = 2 := rfl",
        reason="lean_error",
    ),
    Attempt(
        name="a look-alike of a Latin letter",
        statement="def o : Nat := 1\ntheorem t : o = 2 := sorry",
        proof="def o : Nat := 1\ndef \u03bf : Nat := 2\ntheorem t : \u03bf = 2 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a look-alike that Lean does not take for a letter",
        statement="def a : Nat := 1\ntheorem t : a = 2 := sorry",
        proof="def a : Nat := 1\ndef \u0430 : Nat := 2\ntheorem t : \u0430 = 2 := rfl",
        reason="lean_error",
    ),
    Attempt(
        name="a theorem with a look-alike name",
        statement="theorem o : 1 = 2 := sorry",
        proof="theorem \u03bf : 1 = 1 := rfl",
        reason="missing_declaration: o",
    ),
    Attempt(
        name="a name in guillemets with a dot",
        statement="theorem N.t : 1 = 2 := sorry",
        proof="theorem «N.t» : 1 = 1 := rfl",
        reason="missing_declaration: N.t",
    ),
    Attempt(
        name="a definition that the statement imports, in another namespace that is open",
        statement="theorem t : Nat.succ 0 = 0 := sorry",
        proof="namespace M\ndef Nat.succ (n : Nat) : Nat := 0\ntheorem t : Nat.succ 0 = 0 := rfl\nend M\nopen M\n"
        "theorem t : M.Nat.succ 0 = 0 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a definition of the statement hidden by a reducible copy",
        statement="def f (n : Nat) : Nat := n + 1\ntheorem t : ∀ n, f n = n := sorry",
        proof="abbrev f (n : Nat) : Nat := n\ntheorem t : ∀ n, f n = n := fun _ => rfl",
        reason="statement_mismatch",
    ),
    *(
        Attempt(
            name=f"the statement's definitions in a comment that ends where Lean ends it, after U+{ord(end):04X}",
            statement="def a : Nat := 1 -- one\ndef f (n : Nat) : Nat := n + n\ntheorem t : f 1 = 1 := sorry",
            proof=f"def a : Nat := 1 -- one{end}def f (n : Nat) : Nat := n + n\ndef f (n : Nat) : Nat := n\n"
            "theorem t : f 1 = 1 := rfl",
            reason="statement_mismatch",
        )
        for end in "\u2028\x85"
    ),
    Attempt(
        name="a documented constructor behind the statement's definitions",
        statement="inductive Q : Nat → Prop\n  | one : Q 1\ntheorem t : Q 7 := sorry",
        proof="inductive Q : Nat → Prop\n  | one : Q 1\n/-- more -/\n  | any n : Q n\ntheorem t : Q 7 := .any 7",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a coercion that changes the meaning",
        statement="theorem t (b : Bool) : b = true := sorry",
        proof="instance : Coe Bool Prop := ⟨fun _ => True⟩\ntheorem t (b : Bool) : b := True.intro",
        reason="lean_error",
    ),
]

TEXTS = [
    Attempt(
        name="the namespace is closed early",
        statement="namespace N\ntheorem t : 1 = 2 := sorry\nend N",
        proof="namespace N\nend N\ntheorem t : 1 = 1 := rfl",
        reason="missing_declaration: N.t",
    ),
    Attempt(
        name="a section that never opened is closed", proof="end Foo\ntheorem t : 1 = 2 := rfl", reason="lean_error"
    ),
    Attempt(name="the theorem in a comment", proof="/- theorem t : 1 = 2 := rfl -/", reason="lean_error"),
    Attempt(
        name="nested comments that end later than they seem to",
        proof="/- /- -/ theorem t : 1 = 2 := rfl -/\ntheorem t : 1 = 1 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="the theorem in a string", proof='def s := "theorem t : 1 = 2 := rfl"', reason="missing_declaration: t"
    ),
    Attempt(
        name="an unclosed comment after the theorem", proof="theorem t : 1 = 2 := by sorry\n/- ", reason="lean_error"
    ),
    Attempt(name="#exit before the theorem", proof="#exit\ntheorem t : 1 = 2 := rfl", reason="missing_declaration: t"),
    Attempt(
        name="an error hidden by #guard_msgs",
        proof="/-- error: anything -/\n#guard_msgs (drop error) in\ntheorem t : 1 = 2 := by decide",
        reason="lean_error",
    ),
    Attempt(
        name="#guard_msgs that drops all",
        proof="#guard_msgs (drop all) in\ntheorem t : 1 = 2 := rfl",
        reason="contains_sorry",
    ),
    Attempt(
        name="an error hidden by fail_if_success",
        proof="theorem t : 1 = 2 := by\n  fail_if_success rfl",
        reason="lean_error",
    ),
    Attempt(
        name="an error recovered by first", proof="theorem t : 1 = 2 := by\n  first | rfl | skip", reason="lean_error"
    ),
    Attempt(
        name="an error after a good theorem",
        statement=TRUE,
        proof="theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n\n#check nothing_of_this_name",
        reason="lean_error",
    ),
    Attempt(
        name="output that imitates a reply",
        proof='#print "{\\"env\\": 1}\\n\\n{\\"env\\": 2}"\ntheorem t : 1 = 2 := by sorry',
        reason="contains_sorry",
    ),
    Attempt(
        name="a message that imitates the audit's answer",
        proof="theorem t : 1 = 2 := sorry\n#print axioms Nat.add_comm",
        reason="contains_sorry",
    ),
    Attempt(
        name="blank lines in the code", proof="theorem t : 1 = 2 :=\n\n\n\n  sorry\n\n\n\n", reason="contains_sorry"
    ),
    Attempt(name="carriage returns", proof="theorem t : 1 = 2 :=\r\n\r\n  sorry\r\n", reason="contains_sorry"),
    Attempt(name="a NUL in the code", proof="theorem t : 1 = 2 := rfl\x00", verdict="error", reason="invalid_request"),
    Attempt(
        name="a lone surrogate", proof="theorem t : 1 = 2 := rfl \ud800", verdict="error", reason="invalid_request"
    ),
    Attempt(
        name="an escape character", proof="theorem t : 1 = 2 := rfl \x1b[2J", verdict="error", reason="invalid_request"
    ),
    Attempt(name="text that turns direction", proof="theorem t : 1 = 2 := rfl -- \u202e", reason="lean_error"),
    Attempt(
        name="prelude", proof="prelude\ninductive Eq : Type | mk\ntheorem t : Eq := .mk", reason="statement_mismatch"
    ),
    Attempt(
        name="prelude on both sides",
        statement="prelude\naxiom propext : True\ntheorem t : True := sorry",
        proof="prelude\naxiom propext : True\ntheorem t : True := propext",
        reason="forbidden_command: prelude",
    ),
    Attempt(
        name="prelude in a text without a statement",
        statement="",
        proof="prelude\naxiom propext.{u} (p : Sort u) : p\ntheorem t (p : Prop) : p := propext p",
        reason="forbidden_command: prelude",
    ),
    Attempt(
        name="other imports than the statement's",
        proof="import Lean\ntheorem t : 1 = 2 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="imports in the middle",
        proof="theorem u : 1 = 1 := rfl\nimport Lean\ntheorem t : 1 = 2 := rfl",
        reason="lean_error",
    ),
    Attempt(
        name="a text that never ends",
        proof="theorem t : 1 = 2 := by repeat (first | skip)",
        verdict="error",
        reason="timeout",
        timeout_seconds=1.0,
    ),
    Attempt(
        name="a proof that only the kernel takes for ever",
        statement="def f : Nat → Nat → Nat | 0, a => a | n + 1, a => f n (a + 1)\ntheorem t : f 100000000 0 = 1 := sorry",
        proof="def f : Nat → Nat → Nat | 0, a => a | n + 1, a => f n (a + 1)\ntheorem t : f 100000000 0 = 1 := by decide +kernel",
        verdict="error",
        reason="timeout",
        timeout_seconds=1.0,
    ),
    Attempt(
        name="terms nested a hundred thousand deep",
        proof="theorem t : 1 = 2 := " + "(" * 100_000 + "rfl" + ")" * 100_000,
        reason="lean_error",
    ),
]

NATIVE = [
    Attempt(
        name="a native function as a parser, which ends the process",
        proof='@[extern "x"] axiom Lean.Elab.Command.elabEnd : Lean.ParserDescr\n'
        "attribute [term_parser] Lean.Elab.Command.elabEnd\ntheorem t : 1 = 2 := rfl",
        verdict="error",
        reason="repl_died",
    ),
    Attempt(
        name="a native function in the place of a tactic's macro",
        proof='@[extern "x", macro Lean.Parser.Tactic.tacticRfl]\naxiom Missing.implementation : Lean.Macro\n'
        "theorem t : 1 = 2 := by rfl",
        verdict="error",
        reason="repl_died",
    ),
    Attempt(
        name="another tactic's macro in the place of one",
        proof='@[extern "x", macro Lean.Parser.Tactic.tacticTrivial]\n'
        "axiom Lean.Parser.Tactic._aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticAdmit_1 : Lean.Macro\n"
        "theorem t : 1 = 2 := by trivial",
        reason="lean_error",
    ),
]

METAPROGRAMMING = [
    Attempt(
        name="#print axioms redefined",
        proof='import Lean\nopen Lean Elab Command\nelab "#print " "axioms" n:ident : command => '
        "logInfo m!\"'{n.getId}' does not depend on any axioms\"\ntheorem t : 1 = 2 := sorry\n#print axioms t",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        reason="contains_sorry",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="a macro that makes the goal's predicate True",
        statement="def Odd' (n : Nat) := n % 2 = 1\ntheorem t : Odd' 2 := sorry",
        proof="def Odd' (n : Nat) := n % 2 = 1\nmacro_rules | `(Odd' $_) => `(True)\ntheorem t : Odd' 2 := by trivial",
        reason="",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="a notation that makes equality reflexive",
        proof='local notation:50 a " = " b => @Eq Nat a a\ntheorem t : 1 = 2 := rfl',
        reason="",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="sorryAx spelled letter by letter",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        proof='import Lean\nopen Lean Elab Term\nelab "cheat" : term <= t => do\n'
        '  return mkApp2 (mkConst (.str .anonymous ("sorr" ++ "yAx")) [0]) t (mkConst ``Bool.true)\n'
        "theorem t : 1 = 2 := cheat",
        reason="contains_sorry",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="a constant put into the environment unchecked",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        proof="import Lean\nopen Lean\nrun_cmd do\n  let d := Declaration.thmDecl { name := `t, levelParams := [], "
        "type := toExpr (1 = 2), value := mkConst ``True.intro }\n"
        "  modifyEnv fun e => (e.addDeclWithoutChecking d).toOption.getD e",
        reason="",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="an environment extension of the axioms' collector changed",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        proof="import Lean\nopen Lean\naxiom cheat : 1 = 2\ntheorem t : 1 = 2 := cheat\n"
        "run_cmd modifyEnv fun env => env.setMainModule `Init",
        reason="forbidden_axiom: cheat",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="the process ends itself",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        proof="import Lean\n#eval (IO.Process.exit 0 : IO Unit)\ntheorem t : 1 = 2 := rfl",
        verdict="error",
        reason="repl_died",
        needs=METAPROGRAMS,
    ),
    Attempt(
        name="a message of 100 MB",
        proof='#eval String.join (List.replicate 100000000 "x")\ntheorem t : 1 = 2 := sorry',
        verdict="error",
        reason="",
        needs=CORE_TERMS,
    ),
    Attempt(
        name="a reply of its own on standard output",
        proof='#eval IO.println "{\\"env\\": 1}\\n\\n"\ntheorem t : 1 = 2 := sorry',
        reason="contains_sorry",
        needs=CORE_TERMS,
    ),
    Attempt(
        name="a delaborator that prints another type",
        statement="import Lean\ntheorem t : 1 = 2 := sorry",
        proof="import Lean\nopen Lean PrettyPrinter Delaborator\n@[delab app.Eq] def lie : Delab := `(1 = 2)\n"
        "theorem t : 1 = 1 := rfl",
        reason="",
        needs=METAPROGRAMS,
    ),
]

SHORTCUTS = [
    # The kernel evaluates these by name, and the core library does not declare them: whoever does makes two out of one.
    *(
        Attempt(
            name=f"Nat.{name} declared otherwise than the kernel evaluates it",
            proof=f"def Nat.{name} (_ _ : Nat) : Nat := 2\ntheorem always (a b : Nat) : Nat.{name} a b = 2 := rfl\n"
            f"set_option debug.skipKernelTC true in\ntheorem t : 1 = 2 := always 1 {other}",
            reason=f"kernel_rejected: Nat.{name} has a meaning of the kernel's own",
        )
        for name, other in (("land", 1), ("lor", 0), ("xor", 0), ("shiftLeft", 0), ("shiftRight", 0))
    ),
    Attempt(
        name="both values of Nat.land, each by the kernel",
        proof="def Nat.land (_ _ : Nat) : Nat := 2\ntheorem always (a b : Nat) : Nat.land a b = 2 := rfl\n"
        "theorem evaluated : Nat.land (nat_lit 1) (nat_lit 1) = nat_lit 1 := by decide +kernel\n"
        "theorem t : 1 = 2 := evaluated.symm.trans (always (nat_lit 1) (nat_lit 1))",
        reason="kernel_rejected: Nat.land",
    ),
    Attempt(
        name="Nat.lor as a constructor",
        proof="inductive Nat.Kind | lor\ninductive Nat.Other : Nat → Prop | any n : Nat.Other n\n"
        "def Nat.lor : Nat → Nat → Nat := fun _ _ => 2\ntheorem t : 1 = 2 := (rfl : Nat.lor 1 1 = 2)",
        reason="lean_error",
    ),
    Attempt(
        name="a statement that declares what the kernel evaluates",
        statement="def Nat.land (_ _ : Nat) : Nat := 2\ntheorem t : ∀ a b, Nat.land a b = 2 := sorry",
        proof="def Nat.land (_ _ : Nat) : Nat := 2\ntheorem t : ∀ a b, Nat.land a b = 2 := fun _ _ => rfl",
        reason="kernel_rejected: Nat.land",
    ),
    Attempt(
        name="native reduction under its own name",
        proof="def Lean.reduceBool (b : Bool) : Bool := b\ndef c : Bool := true\n"
        "theorem helper : Lean.reduceBool true = true := rfl\ntheorem t : 1 = 2 := by\n"
        "  have := helper\n  exact sorryAx _ true",
        reason="kernel_rejected: Lean.reduceBool",
    ),
    Attempt(
        name="native reduction of a symbol of the library's",
        proof='@[extern "x"] axiom Lean.Elab.Command.elabEnd : Bool\ndef Lean.reduceBool (b : Bool) : Bool := b\n'
        "set_option debug.skipKernelTC true\ntheorem t : 1 = 2 := by\n"
        "  have h : Lean.reduceBool Lean.Elab.Command.elabEnd = Lean.reduceBool true := rfl\n  decide +kernel",
        reason="lean_error",
    ),
    Attempt(
        name="a number that is too large for the kernel",
        proof="theorem t : 1 = 2 := by\n  have : 10 ^ 100000000 % 7 = 3 := by decide +kernel\n  contradiction",
        reason="lean_error",
    ),
]

MORE_SORRIES = [
    Attempt(
        name="sorry in a termination proof",
        proof="def f (n : Nat) : 1 = 2 := f (n + 1)\ntermination_by n\ndecreasing_by sorry\ntheorem t : 1 = 2 := f 0",
        reason="contains_sorry",
    ),
    Attempt(
        name="an opaque constant that is inhabited by sorry",
        proof="instance : Inhabited (PLift (1 = 2)) := ⟨⟨sorry⟩⟩\nopaque cheat : PLift (1 = 2)\n"
        "theorem t : 1 = 2 := cheat.down",
        reason="contains_sorry",
    ),
    Attempt(
        name="a decision procedure that lies",
        proof="instance (priority := 100000) : Decidable (1 = 2) := .isTrue (sorryAx _ true)\n"
        "theorem t : 1 = 2 := by decide",
        reason="contains_sorry",
    ),
    Attempt(
        name="a choice from what is empty",
        proof="noncomputable def pick : PLift (1 = 2) := Classical.choice ⟨sorry⟩\ntheorem t : 1 = 2 := pick.down",
        reason="contains_sorry",
    ),
    Attempt(
        name="the statement's own lemma with its sorry",
        statement="theorem helper : 1 = 2 := sorry\ntheorem t : 1 = 2 := sorry",
        proof="theorem helper : 1 = 2 := sorry\ntheorem t : 1 = 2 := helper",
        reason="contains_sorry",
    ),
]

LOGIC = [
    Attempt(name="the code generator's proof of everything", proof="theorem t : 1 = 2 := lcProof", reason="lean_error"),
    Attempt(
        name="the code generator's unreachable place",
        proof="theorem t : 1 = 2 := lcUnreachable",
        reason="lean_error",
    ),
    Attempt(
        name="an axiom of the library's that is none of the logic's",
        proof="theorem t : 1 = 1 := by\n  have := Lean.Parser.Tactic.intro\n  rfl",
        statement="theorem t : 1 = 1 := sorry",
        reason="forbidden_axiom: Lean.Parser.Tactic.intro",
    ),
    Attempt(
        name="data out of a proposition with two proofs",
        proof="inductive Two : Prop | a | b\n"
        "def pick (t : Two) : Nat := Two.rec (motive := fun _ => Nat) 1 2 t\n"
        "theorem t : 1 = 2 := (rfl : pick .a = pick .b)",
        reason="lean_error",
    ),
    Attempt(
        name="a type of all types",
        proof="inductive U : Type | mk : Type → U\ntheorem t : 1 = 2 := rfl",
        reason="lean_error",
    ),
    Attempt(
        name="an unsafe type that is not strictly positive",
        proof="unsafe inductive Bad | mk (f : Bad → False)\ntheorem t : 1 = 2 := by\n"
        "  have f : Bad → False := fun b => Bad.casesOn b (fun f => f b)\n  exact (f (.mk f)).elim",
        reason="lean_error",
    ),
]

MEANINGS = [
    Attempt(
        name="a private definition under the statement's name",
        statement="def f : Nat := 1\ntheorem t : f = 2 := sorry",
        proof="private def f : Nat := 2\ntheorem t : f = 2 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="another default value",
        statement="def f (n : Nat := 1) : Nat := n\ntheorem t : f = 2 := sorry",
        proof="def f (n : Nat := 2) : Nat := n\ntheorem t : f = 2 := rfl",
        reason="statement_mismatch",
    ),
    Attempt(
        name="constructors in another order",
        statement="inductive C | x | y\ndef C.n : C → Nat | x => 0 | y => 1\ntheorem t : C.x.n = 1 := sorry",
        proof="inductive C | y | x\ndef C.n : C → Nat | y => 0 | x => 1\ntheorem t : C.x.n = 1 := rfl",
        reason="statement_mismatch: C has other constructors",
    ),
    Attempt(
        name="the statement's type in a block with another one",
        statement="inductive A | a\ntheorem t (x y : A) : x = y → False := sorry",
        proof="mutual\ninductive A | a\ninductive B | b\nend\ntheorem t (x y : A) : x = y → False := sorry",
        reason="statement_mismatch: A has other constructors",
    ),
    Attempt(
        name="a hypothesis that a tactic fills in",
        statement="theorem t (n : Nat) : n = n + 1 := sorry",
        proof="theorem t (n : Nat) (h : n = n + 1 := by assumption) : n = n + 1 := h",
        reason="",
    ),
    Attempt(
        name="a name that is exported and not declared",
        proof="namespace N\ntheorem t : 1 = 2 := sorry\nend N\nexport N (t)",
        reason="missing_declaration: t",
    ),
    Attempt(
        name="the root's name from within a namespace",
        proof="namespace t\ntheorem _root_.t : 1 = 1 := rfl\nend t",
        reason="statement_mismatch",
    ),
    Attempt(
        name="a command that waits for another one",
        statement="theorem t : 1 = 1 := sorry",
        proof="theorem t : 1 = 1 := rfl\nset_option autoImplicit true in",
        reason="lean_error",
    ),
]

HONEST = [
    Attempt(
        name="an honest proof",
        statement=TRUE,
        proof="theorem t (n : Nat) : n < n + 1 := Nat.lt_succ_self n",
        verdict="proved",
    ),
    Attempt(
        name="an honest proof with helpers, among them one with a sorry that is not used",
        statement=TRUE,
        proof="theorem unused : 1 = 2 := sorry\ntheorem helper (n : Nat) : n < n + 1 := Nat.lt_succ_self n\n"
        "theorem t (n : Nat) : n < n + 1 := helper n",
        verdict="proved",
    ),
    Attempt(
        name="an honest proof of a statement with definitions",
        statement=TREE + "def Tree.size : Tree → Nat | leaf => 1 | node l r => l.size + r.size\n"
        "theorem t (x : Tree) : 0 < x.size := sorry",
        proof=TREE + "def Tree.size : Tree → Nat | leaf => 1 | node l r => l.size + r.size\n"
        "theorem t (x : Tree) : 0 < x.size := by\n  induction x with\n  | leaf => exact Nat.zero_lt_one\n"
        "  | node l r a b => exact Nat.add_pos_left a _",
        verdict="proved",
    ),
    Attempt(
        name="an honest proof with renamed variables and another way to write the statement",
        statement="theorem t : ∀ n : Nat, n < n + 1 := sorry",
        proof="theorem t (k : Nat) : Nat.lt k (Nat.succ k) := Nat.lt_succ_self k",
        verdict="proved",
    ),
    Attempt(
        name="an honest classical proof",
        statement="theorem t (p : Prop) : ¬¬p → p := sorry",
        proof="theorem t (p : Prop) : ¬¬p → p := fun h => Classical.byContradiction h",
        verdict="proved",
    ),
    Attempt(
        name="an honest private helper and an unused axiom",
        statement=TRUE,
        proof="axiom unused : 1 = 2\nprivate theorem helper (n : Nat) : n < n + 1 := Nat.lt_succ_self n\n"
        "theorem t (n : Nat) : n < n + 1 := helper n",
        verdict="proved",
    ),
]

CORPUS = [
    *AXIOMS,
    *SORRIES,
    *MORE_SORRIES,
    *COMPUTATION,
    *SHORTCUTS,
    *LOGIC,
    *STATEMENTS,
    *MEANINGS,
    *TEXTS,
    *NATIVE,
    *METAPROGRAMMING,
    *HONEST,
]
