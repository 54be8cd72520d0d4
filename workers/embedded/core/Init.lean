/- Init: everything that a Lean file sees without an import of its own. -/
prelude
import Init.Decidable
import Init.Nat
import Init.Data
import Init.List
import Init.WF
import Init.Div
import Init.Int
import Init.AC
import Init.Repr
