/-
Init.Nat: natural numbers. Addition, multiplication, subtraction, powers, order, decidability, division and induction.
-/
prelude
import Init.Decidable
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w

namespace Nat

/-! ### Constructors and recursors -/

@[elab_as_elim, induction_eliminator] protected def rec_add_one {motive : Nat → Sort u} (zero : motive 0)
    (succ : ∀ n, motive n → motive (n + 1)) : ∀ t, motive t
  | 0 => zero
  | n + 1 => succ n (Nat.rec_add_one zero succ n)
@[elab_as_elim, cases_eliminator] protected def cases_add_one {motive : Nat → Sort u} (zero : motive 0)
    (succ : ∀ n, motive (n + 1)) : ∀ t, motive t
  | 0 => zero
  | n + 1 => succ n
@[simp] protected theorem add_zero (n : Nat) : n + 0 = n := rfl
end Nat
