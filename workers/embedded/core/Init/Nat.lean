/-
Init.Nat: addition, multiplication, subtraction, powers, order and induction of natural numbers.
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

@[simp] theorem zero_eq : Nat.zero = 0 := rfl
@[simp] theorem succ_eq_add_one (n : Nat) : succ n = n + 1 := rfl
theorem add_one (n : Nat) : n + 1 = succ n := rfl
theorem one_eq_succ_zero : 1 = succ 0 := rfl
@[simp] theorem add_eq (x y : Nat) : Nat.add x y = x + y := rfl
@[simp] theorem mul_eq (x y : Nat) : Nat.mul x y = x * y := rfl
@[simp] theorem sub_eq (x y : Nat) : Nat.sub x y = x - y := rfl
@[simp] theorem pow_eq (x y : Nat) : Nat.pow x y = x ^ y := rfl
@[simp] theorem lt_eq (x y : Nat) : Nat.lt x y = (x < y) := rfl
@[simp] theorem le_eq (x y : Nat) : Nat.le x y = (x ≤ y) := rfl
@[simp] theorem pred_zero : pred 0 = 0 := rfl
@[simp] theorem pred_succ (n : Nat) : pred (succ n) = n := rfl
@[simp] theorem add_one_sub_one (n : Nat) : n + 1 - 1 = n := rfl
theorem pred_eq_sub_one {n : Nat} : pred n = n - 1 := rfl
theorem succ_inj' {m n : Nat} (h : succ m = succ n) : m = n := congrArg pred h
protected theorem succ.inj' {m n : Nat} (h : succ m = succ n) : m = n := congrArg pred h
theorem succ_inj {a b : Nat} : succ a = succ b ↔ a = b := ⟨succ_inj', congrArg succ⟩
theorem succ.injEq' (m n : Nat) : (succ m = succ n) = (m = n) := propext succ_inj
theorem add_one_inj {a b : Nat} : a + 1 = b + 1 ↔ a = b := succ_inj
theorem succ_ne_zero (n : Nat) : succ n ≠ 0 := fun h => Nat.noConfusion h
@[simp] theorem add_one_ne_zero (n : Nat) : ¬(n + 1 = 0) := succ_ne_zero n
theorem zero_ne_add_one (n : Nat) : 0 ≠ n + 1 := fun h => succ_ne_zero n h.symm
@[simp] protected theorem zero_ne_one : 0 ≠ (1 : Nat) := zero_ne_add_one 0
@[simp] protected theorem one_ne_zero : 1 ≠ (0 : Nat) := succ_ne_zero 0
theorem succ_ne_self : ∀ n : Nat, succ n ≠ n
  | 0, h => succ_ne_zero 0 h
  | n + 1, h => succ_ne_self n (succ_inj' h)
theorem ne_add_one (n : Nat) : n ≠ n + 1 := fun h => succ_ne_self n h.symm
theorem exists_eq_succ_of_ne_zero : ∀ {n : Nat}, n ≠ 0 → ∃ k, n = succ k
  | 0, h => absurd rfl h
  | n + 1, _ => ⟨n, rfl⟩
theorem exists_eq_add_one_of_ne_zero : ∀ {n : Nat}, n ≠ 0 → ∃ k, n = k + 1 := exists_eq_succ_of_ne_zero
theorem eq_zero_or_eq_succ_pred : ∀ n : Nat, n = 0 ∨ n = succ (pred n)
  | 0 => .inl rfl
  | _ + 1 => .inr rfl
theorem succ_pred {a : Nat} (h : a ≠ 0) : a.pred.succ = a := by
  cases a with
  | zero => exact absurd rfl h
  | succ n => rfl
theorem eq_zero_or_pos' (n : Nat) : n = 0 ∨ ∃ k, n = k + 1 := by
  cases n with
  | zero => exact .inl rfl
  | succ n => exact .inr ⟨n, rfl⟩

/-! ### Addition -/

@[simp] protected theorem add_zero (n : Nat) : n + 0 = n := rfl
@[simp] protected theorem zero_add (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih => exact congrArg succ ih
theorem add_succ (n m : Nat) : n + succ m = succ (n + m) := rfl
theorem succ_add (n m : Nat) : succ n + m = succ (n + m) := by
  induction m with
  | zero => rfl
  | succ m ih => exact congrArg succ ih
theorem add_one_add (n m : Nat) : n + 1 + m = n + m + 1 := succ_add n m
theorem succ_add_eq_add_succ (a b : Nat) : succ a + b = a + succ b := succ_add a b
protected theorem add_comm (n m : Nat) : n + m = m + n := by
  induction m with
  | zero => exact (Nat.zero_add n).symm
  | succ m ih => rw [add_succ, succ_add, ih]
protected theorem add_assoc (n m k : Nat) : n + m + k = n + (m + k) := by
  induction k with
  | zero => rfl
  | succ k ih => exact congrArg succ ih
protected theorem add_left_comm (n m k : Nat) : n + (m + k) = m + (n + k) := by
  rw [← Nat.add_assoc, Nat.add_comm n m, Nat.add_assoc]
protected theorem add_right_comm (n m k : Nat) : n + m + k = n + k + m := by
  rw [Nat.add_assoc, Nat.add_comm m k, Nat.add_assoc]
protected theorem one_add (n : Nat) : 1 + n = n + 1 := Nat.add_comm 1 n
theorem succ_eq_one_add (n : Nat) : succ n = 1 + n := (Nat.one_add n).symm
protected theorem add_left_cancel {n m k : Nat} : n + m = n + k → m = k := by
  induction n with
  | zero => intro h; rwa [Nat.zero_add, Nat.zero_add] at h
  | succ n ih => intro h; rw [succ_add, succ_add] at h; exact ih (succ_inj' h)
protected theorem add_right_cancel {n m k : Nat} (h : n + m = k + m) : n = k := by
  rw [Nat.add_comm n m, Nat.add_comm k m] at h
  exact Nat.add_left_cancel h
protected theorem add_left_cancel_iff {m k n : Nat} : n + m = n + k ↔ m = k := ⟨Nat.add_left_cancel, fun h => h ▸ rfl⟩
protected theorem add_right_cancel_iff {m k n : Nat} : m + n = k + n ↔ m = k := ⟨Nat.add_right_cancel, fun h => h ▸ rfl⟩
protected theorem add_left_inj {m k n : Nat} : m + n = k + n ↔ m = k := Nat.add_right_cancel_iff
protected theorem add_right_inj {m k n : Nat} : n + m = n + k ↔ m = k := Nat.add_left_cancel_iff
attribute [simp] Nat.add_left_cancel_iff Nat.add_right_cancel_iff
protected theorem eq_zero_of_add_eq_zero : ∀ {n m : Nat}, n + m = 0 → n = 0 ∧ m = 0
  | 0, 0, _ => ⟨rfl, rfl⟩
  | n + 1, 0, h => absurd h (succ_ne_zero n)
  | n, m + 1, h => absurd h (succ_ne_zero (n + m))
protected theorem eq_zero_of_add_eq_zero_left {n m : Nat} (h : n + m = 0) : m = 0 := (Nat.eq_zero_of_add_eq_zero h).2
protected theorem eq_zero_of_add_eq_zero_right {n m : Nat} (h : n + m = 0) : n = 0 := (Nat.eq_zero_of_add_eq_zero h).1
@[simp] protected theorem add_eq_zero_iff {n m : Nat} : n + m = 0 ↔ n = 0 ∧ m = 0 :=
  ⟨Nat.eq_zero_of_add_eq_zero, fun ⟨a, b⟩ => by rw [a, b]⟩
protected theorem add_eq_left {a b : Nat} : a + b = a ↔ b = 0 := ⟨fun h => Nat.add_left_cancel (h : a + b = a + 0), fun h => by rw [h]; rfl⟩
protected theorem add_eq_right {a b : Nat} : a + b = b ↔ a = 0 := by rw [Nat.add_comm]; exact Nat.add_eq_left
attribute [simp] Nat.add_eq_left Nat.add_eq_right
@[simp] protected theorem left_eq_add {a b : Nat} : a = a + b ↔ b = 0 := ⟨fun h => Nat.add_eq_left.1 h.symm, fun h => (Nat.add_eq_left.2 h).symm⟩
@[simp] protected theorem right_eq_add {a b : Nat} : b = a + b ↔ a = 0 := ⟨fun h => Nat.add_eq_right.1 h.symm, fun h => (Nat.add_eq_right.2 h).symm⟩

/-! ### Multiplication -/

@[simp] protected theorem mul_zero (n : Nat) : n * 0 = 0 := rfl
theorem mul_succ (n m : Nat) : n * succ m = n * m + n := rfl
theorem mul_add_one (n m : Nat) : n * (m + 1) = n * m + n := rfl
@[simp] protected theorem zero_mul (n : Nat) : 0 * n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [mul_add_one, ih]
theorem succ_mul (n m : Nat) : succ n * m = n * m + m := by
  induction m with
  | zero => rfl
  | succ m ih =>
    show succ n * m + succ n = n * m + n + succ m
    rw [ih, add_succ, add_succ, Nat.add_right_comm]
theorem add_one_mul (n m : Nat) : (n + 1) * m = n * m + m := succ_mul n m
protected theorem mul_comm (n m : Nat) : n * m = m * n := by
  induction m with
  | zero => exact (Nat.zero_mul n).symm
  | succ m ih => rw [mul_add_one, add_one_mul, ih]
@[simp] protected theorem mul_one (n : Nat) : n * 1 = n := Nat.zero_add n
@[simp] protected theorem one_mul (n : Nat) : 1 * n = n := by rw [Nat.mul_comm, Nat.mul_one]
protected theorem left_distrib (n m k : Nat) : n * (m + k) = n * m + n * k := by
  induction k with
  | zero => rfl
  | succ k ih => rw [← Nat.add_assoc, mul_add_one, ih, mul_add_one, Nat.add_assoc]
protected theorem mul_add (k m n : Nat) : k * (m + n) = k * m + k * n := Nat.left_distrib k m n
protected theorem right_distrib (n m k : Nat) : (n + m) * k = n * k + m * k := by
  rw [Nat.mul_comm, Nat.left_distrib, Nat.mul_comm k n, Nat.mul_comm k m]
protected theorem add_mul (n m k : Nat) : (n + m) * k = n * k + m * k := Nat.right_distrib n m k
protected theorem mul_assoc (n m k : Nat) : n * m * k = n * (m * k) := by
  induction k with
  | zero => rfl
  | succ k ih => rw [mul_add_one, ih, mul_add_one, Nat.left_distrib]
protected theorem mul_left_comm (n m k : Nat) : n * (m * k) = m * (n * k) := by
  rw [← Nat.mul_assoc, Nat.mul_comm n m, Nat.mul_assoc]
protected theorem mul_right_comm (n m k : Nat) : n * m * k = n * k * m := by
  rw [Nat.mul_assoc, Nat.mul_comm m k, Nat.mul_assoc]
protected theorem mul_mul_mul_comm (a b c d : Nat) : a * b * (c * d) = a * c * (b * d) := by
  rw [Nat.mul_assoc, Nat.mul_assoc, Nat.mul_left_comm b]
protected theorem two_mul (n : Nat) : 2 * n = n + n := by rw [Nat.mul_comm]; show 0 + n + n = n + n; rw [Nat.zero_add]
protected theorem mul_two (n : Nat) : n * 2 = n + n := by rw [Nat.mul_comm, Nat.two_mul]
protected theorem mul_eq_zero : ∀ {m n : Nat}, n * m = 0 ↔ n = 0 ∨ m = 0
  | 0, n => ⟨fun _ => .inr rfl, fun _ => rfl⟩
  | m + 1, 0 => ⟨fun _ => .inl rfl, fun _ => Nat.zero_mul _⟩
  | m + 1, n + 1 => ⟨fun h => absurd h (succ_ne_zero _), fun h => h.elim (fun h => absurd h (succ_ne_zero _)) (fun h => absurd h (succ_ne_zero _))⟩
attribute [simp] Nat.mul_eq_zero
protected theorem mul_ne_zero {n m : Nat} (hn : n ≠ 0) (hm : m ≠ 0) : n * m ≠ 0 := fun h => (Nat.mul_eq_zero.1 h).elim hn hm
protected theorem ne_zero_of_mul_ne_zero_left {n m : Nat} (h : n * m ≠ 0) : n ≠ 0 := fun e => h (by rw [e, Nat.zero_mul])
protected theorem ne_zero_of_mul_ne_zero_right {n m : Nat} (h : n * m ≠ 0) : m ≠ 0 := fun e => h (by rw [e, Nat.mul_zero])

/-! ### Powers -/

theorem pow_succ {b n : Nat} : b ^ (n + 1) = b ^ n * b := rfl
theorem pow_add_one {b n : Nat} : b ^ (n + 1) = b ^ n * b := rfl
@[simp] theorem pow_zero (b : Nat) : b ^ 0 = 1 := rfl
@[simp] protected theorem pow_one (a : Nat) : a ^ 1 = a := Nat.one_mul a
protected theorem pow_two (a : Nat) : a ^ 2 = a * a := by rw [pow_succ, Nat.pow_one]
theorem pow_succ' {m n : Nat} : m ^ (n + 1) = m * m ^ n := by rw [pow_succ, Nat.mul_comm]
@[simp] protected theorem one_pow (n : Nat) : 1 ^ n = 1 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [pow_succ, ih]
protected theorem zero_pow_succ (n : Nat) : 0 ^ (n + 1) = 0 := rfl
protected theorem pow_add (a m n : Nat) : a ^ (m + n) = a ^ m * a ^ n := by
  induction n with
  | zero => exact (Nat.mul_one _).symm
  | succ n ih => rw [← Nat.add_assoc, pow_succ, ih, pow_succ, Nat.mul_assoc]
protected theorem mul_pow (a b n : Nat) : (a * b) ^ n = a ^ n * b ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [pow_succ, pow_succ, pow_succ, ih, Nat.mul_mul_mul_comm]
protected theorem pow_mul (a m n : Nat) : a ^ (m * n) = (a ^ m) ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [mul_add_one, Nat.pow_add, ih, pow_succ]
protected theorem pow_right_comm (a m n : Nat) : (a ^ m) ^ n = (a ^ n) ^ m := by
  rw [← Nat.pow_mul, Nat.mul_comm, Nat.pow_mul]

/-! ### Order -/

@[refl, simp] protected theorem le_refl (n : Nat) : n ≤ n := Nat.le.refl
protected theorem le_rfl {n : Nat} : n ≤ n := Nat.le.refl
protected theorem le_of_eq {n m : Nat} (h : n = m) : n ≤ m := h ▸ Nat.le_refl n
theorem _root_.Nat.le.refl' (n : Nat) : n ≤ n := Nat.le.refl
theorem le_succ (n : Nat) : n ≤ succ n := Nat.le.step Nat.le.refl
theorem le_add_one (n : Nat) : n ≤ n + 1 := le_succ n
theorem le_step {n m : Nat} (h : n ≤ m) : n ≤ succ m := Nat.le.step h
theorem le_succ_of_le {n m : Nat} (h : n ≤ m) : n ≤ succ m := Nat.le.step h
theorem le_add_one_of_le {n m : Nat} (h : n ≤ m) : n ≤ m + 1 := Nat.le.step h
@[simp] theorem zero_le : ∀ n : Nat, 0 ≤ n
  | 0 => Nat.le.refl
  | n + 1 => Nat.le.step (zero_le n)
protected theorem le_trans {n m k : Nat} (h₁ : n ≤ m) (h₂ : m ≤ k) : n ≤ k := by
  induction h₂ with
  | refl => exact h₁
  | step _ ih => exact Nat.le.step ih
protected theorem lt_trans {n m k : Nat} (h₁ : n < m) (h₂ : m < k) : n < k := Nat.le_trans (le_step h₁) h₂
protected theorem lt_of_lt_of_le {n m k : Nat} (h₁ : n < m) (h₂ : m ≤ k) : n < k := Nat.le_trans h₁ h₂
protected theorem lt_of_lt_of_eq {n m k : Nat} (h₁ : n < m) (h₂ : m = k) : n < k := h₂ ▸ h₁
protected theorem lt_of_eq_of_lt {n m k : Nat} (h₁ : n = m) (h₂ : m < k) : n < k := h₁ ▸ h₂
protected theorem le_of_eq_of_le {n m k : Nat} (h₁ : n = m) (h₂ : m ≤ k) : n ≤ k := h₁ ▸ h₂
protected theorem le_of_le_of_eq {n m k : Nat} (h₁ : n ≤ m) (h₂ : m = k) : n ≤ k := h₂ ▸ h₁
theorem pred_le_pred {n m : Nat} (h : n ≤ m) : pred n ≤ pred m := by
  induction h with
  | refl => exact Nat.le_refl _
  | @step m h ih =>
    match m, ih with
    | 0, ih => exact ih
    | m + 1, ih => exact Nat.le.step ih
theorem succ_le_succ {n m : Nat} (h : n ≤ m) : succ n ≤ succ m := by
  induction h with
  | refl => exact Nat.le_refl _
  | step _ ih => exact Nat.le.step ih
theorem add_one_le_add_one {n m : Nat} (h : n ≤ m) : n + 1 ≤ m + 1 := succ_le_succ h
theorem le_of_succ_le_succ {n m : Nat} : succ n ≤ succ m → n ≤ m := pred_le_pred
theorem le_of_lt_succ {m n : Nat} : m < succ n → m ≤ n := le_of_succ_le_succ
theorem le_of_lt_add_one {m n : Nat} : m < n + 1 → m ≤ n := le_of_succ_le_succ
theorem lt_succ_of_le {n m : Nat} : n ≤ m → n < succ m := succ_le_succ
theorem lt_add_one_of_le {n m : Nat} : n ≤ m → n < m + 1 := succ_le_succ
theorem lt_succ_iff {m n : Nat} : m < succ n ↔ m ≤ n := ⟨le_of_lt_succ, lt_succ_of_le⟩
theorem lt_add_one_iff {m n : Nat} : m < n + 1 ↔ m ≤ n := lt_succ_iff
theorem add_one_le_iff {n m : Nat} : n + 1 ≤ m ↔ n < m := Iff.rfl
theorem succ_le_iff {n m : Nat} : succ n ≤ m ↔ n < m := Iff.rfl
theorem succ_le {n m : Nat} : succ n ≤ m ↔ n < m := Iff.rfl
theorem lt_iff_add_one_le {m n : Nat} : m < n ↔ m + 1 ≤ n := Iff.rfl
theorem succ_le_of_lt {n m : Nat} (h : n < m) : succ n ≤ m := h
theorem add_one_le_of_lt {n m : Nat} (h : n < m) : n + 1 ≤ m := h
theorem lt_of_succ_le {n m : Nat} (h : succ n ≤ m) : n < m := h
theorem lt_of_add_one_le {n m : Nat} (h : n + 1 ≤ m) : n < m := h
@[simp] theorem lt_add_one (n : Nat) : n < n + 1 := Nat.le.refl
theorem lt_succ_self (n : Nat) : n < succ n := Nat.le.refl
theorem lt.base (n : Nat) : n < succ n := Nat.le.refl
theorem lt.step {n m : Nat} : n < m → n < succ m := le_step
theorem succ_le_succ_iff {a b : Nat} : succ a ≤ succ b ↔ a ≤ b := ⟨le_of_succ_le_succ, succ_le_succ⟩
theorem succ_lt_succ_iff {a b : Nat} : succ a < succ b ↔ a < b := succ_le_succ_iff
protected theorem add_le_add_iff_right {m n k : Nat} : m + k ≤ n + k ↔ m ≤ n := by
  induction k with
  | zero => exact Iff.rfl
  | succ k ih => exact succ_le_succ_iff.trans ih
attribute [simp] Nat.add_le_add_iff_right
protected theorem add_le_add_iff_left {m n k : Nat} : k + m ≤ k + n ↔ m ≤ n := by
  rw [Nat.add_comm k m, Nat.add_comm k n]; exact Nat.add_le_add_iff_right
attribute [simp] Nat.add_le_add_iff_left
theorem succ_lt_succ {n m : Nat} : n < m → succ n < succ m := succ_le_succ
theorem lt_of_succ_lt_succ {n m : Nat} : succ n < succ m → n < m := le_of_succ_le_succ
theorem le_of_succ_le {n m : Nat} (h : succ n ≤ m) : n ≤ m := Nat.le_trans (le_succ n) h
protected theorem le_of_lt {n m : Nat} : n < m → n ≤ m := le_of_succ_le
theorem lt_of_succ_lt {n m : Nat} : succ n < m → n < m := le_of_succ_le
protected theorem lt_of_le_of_lt {n m k : Nat} (h₁ : n ≤ m) (h₂ : m < k) : n < k := Nat.le_trans (succ_le_succ h₁) h₂
theorem not_succ_le_zero (n : Nat) : ¬(succ n ≤ 0) := fun h => by cases h
@[simp] theorem not_lt_zero (n : Nat) : ¬(n < 0) := not_succ_le_zero n
theorem not_add_one_le_zero (n : Nat) : ¬(n + 1 ≤ 0) := not_succ_le_zero n
theorem not_succ_le_self : ∀ n : Nat, ¬(succ n ≤ n)
  | 0, h => not_succ_le_zero 0 h
  | n + 1, h => not_succ_le_self n (le_of_succ_le_succ h)
@[simp] protected theorem lt_irrefl (n : Nat) : ¬(n < n) := not_succ_le_self n
@[simp] theorem not_add_one_le_self (n : Nat) : ¬(n + 1 ≤ n) := not_succ_le_self n
protected theorem le_antisymm {n m : Nat} (h₁ : n ≤ m) (h₂ : m ≤ n) : n = m := by
  cases h₁ with
  | refl => rfl
  | step h => exact absurd (Nat.le_trans h₂ h) (not_succ_le_self _)
protected theorem le_antisymm_iff {a b : Nat} : a = b ↔ a ≤ b ∧ b ≤ a :=
  ⟨fun h => ⟨Nat.le_of_eq h, Nat.le_of_eq h.symm⟩, fun ⟨x, y⟩ => Nat.le_antisymm x y⟩
protected theorem eq_iff_le_and_ge {a b : Nat} : a = b ↔ a ≤ b ∧ b ≤ a := Nat.le_antisymm_iff
protected theorem lt_or_ge (n m : Nat) : n < m ∨ n ≥ m := by
  induction m with
  | zero => exact .inr (zero_le n)
  | succ m ih =>
    cases ih with
    | inl h => exact .inl (le_step h)
    | inr h =>
      cases h with
      | refl => exact .inl (Nat.lt_succ_self _)
      | step h => exact .inr (succ_le_succ h)
protected theorem lt_or_le (a b : Nat) : a < b ∨ b ≤ a := Nat.lt_or_ge a b
protected theorem le_or_lt (a b : Nat) : a ≤ b ∨ b < a := (Nat.lt_or_ge b a).symm
protected theorem le_total (m n : Nat) : m ≤ n ∨ n ≤ m := (Nat.lt_or_ge m n).imp_left Nat.le_of_lt
theorem eq_or_lt_of_le {n m : Nat} (h : n ≤ m) : n = m ∨ n < m := by
  cases h with
  | refl => exact .inl rfl
  | step h => exact .inr (succ_le_succ h)
protected theorem le_iff_lt_or_eq {n m : Nat} : n ≤ m ↔ n < m ∨ n = m :=
  ⟨fun h => (eq_or_lt_of_le h).symm, fun h => h.elim Nat.le_of_lt Nat.le_of_eq⟩
protected theorem lt_or_eq_of_le {n m : Nat} (h : n ≤ m) : n < m ∨ n = m := (eq_or_lt_of_le h).symm
protected theorem lt_or_gt_of_ne {a b : Nat} (ne : a ≠ b) : a < b ∨ a > b :=
  (Nat.lt_or_ge a b).imp_right fun h => (eq_or_lt_of_le h).elim (fun e => absurd e.symm ne) id
protected theorem lt_trichotomy (a b : Nat) : a < b ∨ a = b ∨ b < a :=
  (Nat.lt_or_ge a b).imp_right fun h => (eq_or_lt_of_le h).imp_left Eq.symm
protected theorem ne_of_lt {a b : Nat} (h : a < b) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
protected theorem ne_of_gt {a b : Nat} (h : b < a) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
protected theorem ne_of_lt' {a b : Nat} (h : a < b) : b ≠ a := Nat.ne_of_gt h
protected theorem lt_of_le_of_ne {n m : Nat} (h₁ : n ≤ m) (h₂ : ¬n = m) : n < m := (eq_or_lt_of_le h₁).resolve_left h₂
protected theorem not_le_of_gt {n m : Nat} (h : n > m) : ¬(n ≤ m) := fun k => Nat.lt_irrefl m (Nat.lt_of_lt_of_le h k)
protected theorem not_le_of_lt {a b : Nat} (h : a < b) : ¬(b ≤ a) := Nat.not_le_of_gt h
protected theorem not_lt_of_ge {a b : Nat} (h : b ≥ a) : ¬(b < a) := fun k => Nat.not_le_of_gt k h
protected theorem not_lt_of_le {a b : Nat} (h : a ≤ b) : ¬(b < a) := Nat.not_lt_of_ge h
protected theorem lt_asymm {a b : Nat} (h : a < b) : ¬(b < a) := Nat.not_lt_of_le (Nat.le_of_lt h)
protected theorem lt_of_not_le {a b : Nat} (h : ¬(a ≤ b)) : b < a := (Nat.lt_or_ge b a).resolve_right h
protected theorem lt_of_not_ge {a b : Nat} (h : ¬(b ≥ a)) : b < a := Nat.lt_of_not_le h
protected theorem gt_of_not_le {n m : Nat} (h : ¬(n ≤ m)) : n > m := Nat.lt_of_not_le h
protected theorem le_of_not_lt {a b : Nat} (h : ¬(a < b)) : b ≤ a := (Nat.lt_or_ge a b).resolve_left h
protected theorem ge_of_not_lt {n m : Nat} (h : ¬(n < m)) : n ≥ m := Nat.le_of_not_lt h
protected theorem le_of_not_le {a b : Nat} (h : ¬(b ≤ a)) : a ≤ b := Nat.le_of_lt (Nat.lt_of_not_le h)
protected theorem le_of_not_ge {a b : Nat} (h : ¬(a ≥ b)) : a ≤ b := Nat.le_of_not_le h
@[simp] protected theorem not_le {n m : Nat} : ¬(n ≤ m) ↔ m < n := ⟨Nat.lt_of_not_le, Nat.not_le_of_gt⟩
@[simp] protected theorem not_lt {n m : Nat} : ¬(n < m) ↔ m ≤ n := ⟨Nat.le_of_not_lt, Nat.not_lt_of_ge⟩
protected theorem not_ge {n m : Nat} : ¬(n ≥ m) ↔ n < m := Nat.not_le
protected theorem not_gt {n m : Nat} : ¬(n > m) ↔ n ≤ m := Nat.not_lt
theorem le_of_lt_or_eq {a b : Nat} (h : a < b ∨ a = b) : a ≤ b := Nat.le_iff_lt_or_eq.2 h
protected theorem lt_iff_le_and_ne {m n : Nat} : m < n ↔ m ≤ n ∧ m ≠ n :=
  ⟨fun h => ⟨Nat.le_of_lt h, Nat.ne_of_lt h⟩, fun ⟨a, b⟩ => Nat.lt_of_le_of_ne a b⟩
protected theorem lt_iff_le_not_le {m n : Nat} : m < n ↔ m ≤ n ∧ ¬n ≤ m :=
  ⟨fun h => ⟨Nat.le_of_lt h, Nat.not_le_of_gt h⟩, fun ⟨_, b⟩ => Nat.lt_of_not_le b⟩
protected theorem ne_iff_lt_or_gt {a b : Nat} : a ≠ b ↔ a < b ∨ a > b :=
  ⟨Nat.lt_or_gt_of_ne, fun h => h.elim Nat.ne_of_lt Nat.ne_of_gt⟩
protected theorem eq_or_lt_of_not_lt {a b : Nat} (h : ¬a < b) : a = b ∨ b < a := (Nat.lt_trichotomy a b).resolve_left h

theorem eq_zero_of_le_zero {n : Nat} (h : n ≤ 0) : n = 0 := Nat.le_antisymm h (zero_le n)
@[simp] protected theorem le_zero_eq (a : Nat) : (a ≤ 0) = (a = 0) := propext ⟨eq_zero_of_le_zero, Nat.le_of_eq⟩
protected theorem le_zero {i : Nat} : i ≤ 0 ↔ i = 0 := ⟨eq_zero_of_le_zero, Nat.le_of_eq⟩
protected theorem eq_zero_of_not_pos {n : Nat} (h : ¬0 < n) : n = 0 := eq_zero_of_le_zero (Nat.le_of_not_lt h)
protected theorem pos_of_ne_zero {n : Nat} (h : n ≠ 0) : 0 < n := (eq_or_lt_of_le (zero_le n)).resolve_left h.symm
protected theorem zero_lt_of_ne_zero {n : Nat} (h : n ≠ 0) : 0 < n := Nat.pos_of_ne_zero h
theorem eq_zero_or_pos : ∀ n : Nat, n = 0 ∨ n > 0
  | 0 => .inl rfl
  | n + 1 => .inr (succ_le_succ (zero_le n))
protected theorem pos_iff_ne_zero {n : Nat} : 0 < n ↔ n ≠ 0 := ⟨Nat.ne_of_gt, Nat.pos_of_ne_zero⟩
protected theorem ne_zero_of_lt {a b : Nat} (h : b < a) : a ≠ 0 := fun e => not_lt_zero b (e ▸ h)
theorem ne_zero_iff_zero_lt {n : Nat} : n ≠ 0 ↔ 0 < n := Nat.pos_iff_ne_zero.symm
protected theorem zero_lt_one : 0 < (1 : Nat) := Nat.le.refl
protected theorem zero_lt_two : 0 < (2 : Nat) := Nat.le.step Nat.le.refl
theorem zero_lt_succ (n : Nat) : 0 < succ n := succ_le_succ (zero_le n)
@[simp] theorem zero_lt_add_one (n : Nat) : 0 < n + 1 := zero_lt_succ n
theorem succ_pos (n : Nat) : 0 < succ n := zero_lt_succ n
theorem add_one_pos (n : Nat) : 0 < n + 1 := zero_lt_succ n
theorem zero_lt_of_lt {a b : Nat} (h : a < b) : 0 < b := Nat.lt_of_le_of_lt (zero_le a) h
theorem pos_of_lt {a b : Nat} (h : a < b) : 0 < b := zero_lt_of_lt h
theorem one_le_iff_ne_zero {n : Nat} : 1 ≤ n ↔ n ≠ 0 := Nat.pos_iff_ne_zero
theorem lt_one_iff {n : Nat} : n < 1 ↔ n = 0 := lt_succ_iff.trans Nat.le_zero
attribute [simp] lt_one_iff
theorem one_le_of_lt {n m : Nat} (h : n < m) : 1 ≤ m := zero_lt_of_lt h
theorem succ_pred_eq_of_pos : ∀ {n : Nat}, 0 < n → succ (pred n) = n
  | _ + 1, _ => rfl
theorem pred_le : ∀ n : Nat, pred n ≤ n
  | 0 => Nat.le.refl
  | n + 1 => le_succ n
theorem pred_lt : ∀ {n : Nat}, n ≠ 0 → pred n < n
  | 0, h => absurd rfl h
  | n + 1, _ => Nat.le.refl
theorem sub_one_lt : ∀ {n : Nat}, n ≠ 0 → n - 1 < n := pred_lt
theorem le_pred_of_lt {n m : Nat} (h : n < m) : n ≤ pred m := pred_le_pred h

theorem le_add_right : ∀ n k : Nat, n ≤ n + k
  | _, 0 => Nat.le.refl
  | n, k + 1 => Nat.le.step (le_add_right n k)
theorem le_add_left (n m : Nat) : n ≤ m + n := Nat.add_comm n m ▸ le_add_right n m
attribute [simp] le_add_right le_add_left
theorem le_add_right_of_le {n m k : Nat} (h : n ≤ m) : n ≤ m + k := Nat.le_trans h (le_add_right m k)
theorem le_add_left_of_le {n m k : Nat} (h : n ≤ m) : n ≤ k + m := Nat.le_trans h (le_add_left m k)
theorem lt_add_left_of_lt {n m : Nat} (k : Nat) (h : n < m) : n < k + m := le_add_left_of_le (n := n + 1) h
theorem lt_add_right_of_lt {n m : Nat} (k : Nat) (h : n < m) : n < m + k := le_add_right_of_le (n := n + 1) h
theorem lt_add_of_pos_right {n k : Nat} (h : 0 < k) : n < n + k := Nat.add_le_add_iff_left (m := 1).2 h
theorem lt_add_of_pos_left {n k : Nat} (h : 0 < k) : n < k + n := Nat.add_comm n k ▸ lt_add_of_pos_right h
theorem le.dest : ∀ {n m : Nat}, n ≤ m → ∃ k, n + k = m
  | _, _, .refl => ⟨0, rfl⟩
  | _, _, .step h => match le.dest h with
    | ⟨k, e⟩ => ⟨k + 1, congrArg succ e⟩
theorem le.intro {n m k : Nat} (h : n + k = m) : n ≤ m := h ▸ le_add_right n k
theorem exists_eq_add_of_le {m n : Nat} (h : m ≤ n) : ∃ k, n = m + k := match le.dest h with | ⟨k, e⟩ => ⟨k, e.symm⟩
theorem exists_eq_add_of_le' {m n : Nat} (h : m ≤ n) : ∃ k, n = k + m :=
  match le.dest h with | ⟨k, e⟩ => ⟨k, e.symm.trans (Nat.add_comm m k)⟩
theorem exists_eq_add_of_lt {m n : Nat} (h : m < n) : ∃ k, n = m + k + 1 :=
  match le.dest h with | ⟨k, e⟩ => ⟨k, e.symm.trans (succ_add m k)⟩
theorem le_iff_exists_add {m n : Nat} : m ≤ n ↔ ∃ k, n = m + k := ⟨exists_eq_add_of_le, fun ⟨k, e⟩ => e ▸ le_add_right m k⟩
protected theorem add_le_add_left {n m : Nat} (h : n ≤ m) (k : Nat) : k + n ≤ k + m := Nat.add_le_add_iff_left.2 h
protected theorem add_le_add_right {n m : Nat} (h : n ≤ m) (k : Nat) : n + k ≤ m + k := Nat.add_le_add_iff_right.2 h
protected theorem add_lt_add_left {n m : Nat} (h : n < m) (k : Nat) : k + n < k + m := Nat.add_le_add_iff_left (m := n + 1).2 h
protected theorem add_lt_add_right {n m : Nat} (h : n < m) (k : Nat) : n + k < m + k := by
  rw [Nat.add_comm n k, Nat.add_comm m k]; exact Nat.add_lt_add_left h k
protected theorem add_le_add {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c ≤ d) : a + c ≤ b + d :=
  Nat.le_trans (Nat.add_le_add_right h₁ c) (Nat.add_le_add_left h₂ b)
protected theorem add_lt_add_of_le_of_lt {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c < d) : a + c < b + d :=
  Nat.lt_of_le_of_lt (Nat.add_le_add_right h₁ c) (Nat.add_lt_add_left h₂ b)
protected theorem add_lt_add_of_lt_of_le {a b c d : Nat} (h₁ : a < b) (h₂ : c ≤ d) : a + c < b + d :=
  Nat.lt_of_lt_of_le (Nat.add_lt_add_right h₁ c) (Nat.add_le_add_left h₂ b)
protected theorem add_lt_add {a b c d : Nat} (h₁ : a < b) (h₂ : c < d) : a + c < b + d :=
  Nat.add_lt_add_of_le_of_lt (Nat.le_of_lt h₁) h₂
protected theorem le_of_add_le_add_left {a b c : Nat} : a + b ≤ a + c → b ≤ c := Nat.add_le_add_iff_left.1
protected theorem le_of_add_le_add_right {a b c : Nat} : a + b ≤ c + b → a ≤ c := Nat.add_le_add_iff_right.1
protected theorem add_lt_add_iff_left {m n k : Nat} : k + m < k + n ↔ m < n := Nat.add_le_add_iff_left (m := m + 1)
protected theorem add_lt_add_iff_right {m n k : Nat} : m + k < n + k ↔ m < n := by
  rw [Nat.add_comm m k, Nat.add_comm n k]; exact Nat.add_lt_add_iff_left
attribute [simp] Nat.add_lt_add_iff_left Nat.add_lt_add_iff_right
protected theorem lt_of_add_lt_add_left {a b c : Nat} : a + b < a + c → b < c := Nat.add_lt_add_iff_left.1
protected theorem lt_of_add_lt_add_right {a b c : Nat} : a + b < c + b → a < c := Nat.add_lt_add_iff_right.1
protected theorem add_pos_left {m : Nat} (h : 0 < m) (n : Nat) : 0 < m + n := lt_add_right_of_lt n h
protected theorem add_pos_right {n : Nat} (m : Nat) (h : 0 < n) : 0 < m + n := lt_add_left_of_lt m h
theorem le_of_add_right_le {n m k : Nat} (h : n + k ≤ m) : n ≤ m := Nat.le_trans (le_add_right n k) h
theorem le_of_add_left_le {n m k : Nat} (h : k + n ≤ m) : n ≤ m := Nat.le_trans (le_add_left n k) h
@[simp] theorem add_le_right_iff {n k : Nat} : n + k ≤ n ↔ k = 0 :=
  ⟨fun h => Nat.le_zero.1 (Nat.add_le_add_iff_left (n := 0).1 h), fun h => by rw [h]; exact Nat.le_refl n⟩
theorem lt_add_right_iff {n k : Nat} : n < n + k ↔ 0 < k := Nat.add_lt_add_iff_left (m := 0)
attribute [simp] lt_add_right_iff

theorem mul_le_mul_left {m n : Nat} (k : Nat) (h : m ≤ n) : k * m ≤ k * n := by
  match exists_eq_add_of_le h with
  | ⟨d, e⟩ => rw [e, Nat.mul_add]; exact le_add_right _ _
theorem mul_le_mul_right {m n : Nat} (k : Nat) (h : m ≤ n) : m * k ≤ n * k := by
  rw [Nat.mul_comm m, Nat.mul_comm n]; exact mul_le_mul_left k h
protected theorem mul_le_mul {p q m n : Nat} (h₁ : p ≤ m) (h₂ : q ≤ n) : p * q ≤ m * n :=
  Nat.le_trans (mul_le_mul_right q h₁) (mul_le_mul_left m h₂)
theorem mul_lt_mul_of_pos_left' {n m k : Nat} (h : n < m) (hk : 0 < k) : k * n < k * m :=
  Nat.lt_of_lt_of_le (lt_add_of_pos_right hk) (mul_le_mul_left k h)
protected theorem mul_lt_mul_of_pos_left {n m k : Nat} (h : n < m) (hk : 0 < k) : k * n < k * m := mul_lt_mul_of_pos_left' h hk
protected theorem mul_lt_mul_of_pos_right {n m k : Nat} (h : n < m) (hk : 0 < k) : n * k < m * k := by
  rw [Nat.mul_comm n, Nat.mul_comm m]; exact mul_lt_mul_of_pos_left' h hk
protected theorem mul_pos {n m : Nat} (hn : 0 < n) (hm : 0 < m) : 0 < n * m := mul_lt_mul_of_pos_left' hm hn
protected theorem le_of_mul_le_mul_left {a b c : Nat} (h : c * a ≤ c * b) (hc : 0 < c) : a ≤ b :=
  Nat.le_of_not_lt fun k => Nat.not_le_of_gt (mul_lt_mul_of_pos_left' k hc) h
protected theorem le_of_mul_le_mul_right {a b c : Nat} (h : a * c ≤ b * c) (hc : 0 < c) : a ≤ b :=
  Nat.le_of_mul_le_mul_left (by rwa [Nat.mul_comm c, Nat.mul_comm c]) hc
protected theorem eq_of_mul_eq_mul_left {a b c : Nat} (ha : 0 < a) (h : a * b = a * c) : b = c :=
  Nat.le_antisymm (Nat.le_of_mul_le_mul_left (Nat.le_of_eq h) ha) (Nat.le_of_mul_le_mul_left (Nat.le_of_eq h.symm) ha)
protected theorem eq_of_mul_eq_mul_right {a b c : Nat} (ha : 0 < a) (h : b * a = c * a) : b = c :=
  Nat.eq_of_mul_eq_mul_left ha (by rwa [Nat.mul_comm a, Nat.mul_comm a])
protected theorem mul_left_cancel {n m k : Nat} (np : 0 < n) (h : n * m = n * k) : m = k := Nat.eq_of_mul_eq_mul_left np h
protected theorem mul_right_cancel {n m k : Nat} (mp : 0 < m) (h : n * m = k * m) : n = k := Nat.eq_of_mul_eq_mul_right mp h
protected theorem mul_self_le_mul_self {m n : Nat} (h : m ≤ n) : m * m ≤ n * n := Nat.mul_le_mul h h
theorem le_mul_of_pos_left (m : Nat) {n : Nat} (h : 0 < n) : m ≤ n * m := by
  have := mul_le_mul_right m (h : 1 ≤ n)
  rwa [Nat.one_mul] at this
theorem le_mul_of_pos_right (m : Nat) {n : Nat} (h : 0 < n) : m ≤ m * n := by rw [Nat.mul_comm]; exact le_mul_of_pos_left m h
theorem pos_of_mul_pos' {a b : Nat} (h : 0 < a * b) : 0 < a ∧ 0 < b :=
  ⟨Nat.pos_of_ne_zero fun e => by rw [e, Nat.zero_mul] at h; exact Nat.lt_irrefl 0 h,
   Nat.pos_of_ne_zero fun e => by rw [e] at h; exact Nat.lt_irrefl 0 h⟩
theorem pos_pow_of_pos {b : Nat} (n : Nat) (h : 0 < b) : 0 < b ^ n := by
  induction n with
  | zero => exact Nat.zero_lt_one
  | succ n ih => exact Nat.mul_pos ih h
protected theorem pow_pos {p : Nat} (hp : 0 < p) {n : Nat} : 0 < p ^ n := pos_pow_of_pos n hp
protected theorem two_pow_pos (w : Nat) : 0 < 2 ^ w := Nat.pow_pos Nat.zero_lt_two
theorem pow_le_pow_left {m n : Nat} (h : m ≤ n) (i : Nat) : m ^ i ≤ n ^ i := by
  induction i with
  | zero => exact Nat.le_refl 1
  | succ i ih => exact Nat.mul_le_mul ih h
theorem pow_le_pow_right {n m k : Nat} (h : n > 0) (hm : m ≤ k) : n ^ m ≤ n ^ k := by
  match exists_eq_add_of_le hm with
  | ⟨d, e⟩ => rw [e, Nat.pow_add]; exact le_mul_of_pos_right _ (Nat.pow_pos h)
theorem lt_two_pow_self {n : Nat} : n < 2 ^ n := by
  induction n with
  | zero => exact Nat.zero_lt_one
  | succ n ih =>
    rw [pow_succ, Nat.mul_two]
    exact Nat.lt_of_lt_of_le (succ_lt_succ ih) (Nat.add_le_add_left (Nat.two_pow_pos n) _)

/-! ### Decidability of the order -/

theorem le_of_ble_eq_true : ∀ {n m : Nat}, Nat.ble n m = true → n ≤ m
  | 0, m, _ => zero_le m
  | _ + 1, _ + 1, h => succ_le_succ (le_of_ble_eq_true h)
theorem ble_self_eq_true : ∀ n : Nat, Nat.ble n n = true
  | 0 => rfl
  | n + 1 => ble_self_eq_true n
theorem ble_succ_eq_true : ∀ {n m : Nat}, Nat.ble n m = true → Nat.ble n (succ m) = true
  | 0, _, _ => rfl
  | n + 1, m + 1, h => ble_succ_eq_true (n := n) (m := m) h
theorem ble_eq_true_of_le {n m : Nat} (h : n ≤ m) : Nat.ble n m = true := by
  induction h with
  | refl => exact ble_self_eq_true n
  | step _ ih => exact ble_succ_eq_true ih
theorem not_le_of_not_ble_eq_true {n m : Nat} (h : ¬(Nat.ble n m = true)) : ¬(n ≤ m) := fun k => h (ble_eq_true_of_le k)
@[simp] theorem ble_eq {x y : Nat} : (Nat.ble x y = true) = (x ≤ y) := propext ⟨le_of_ble_eq_true, ble_eq_true_of_le⟩
theorem beq_refl : ∀ n : Nat, Nat.beq n n = true
  | 0 => rfl
  | n + 1 => beq_refl n
@[simp] theorem beq_eq {x y : Nat} : (Nat.beq x y = true) = (x = y) := propext ⟨eq_of_beq_eq_true, fun h => h ▸ beq_refl x⟩

@[extern "lean_nat_dec_le"] instance decLe (n m : @& Nat) : Decidable (n ≤ m) :=
  match h : Nat.ble n m with
  | true => isTrue (le_of_ble_eq_true h)
  | false => isFalse (not_le_of_not_ble_eq_true (ne_true_of_eq_false h))
@[extern "lean_nat_dec_lt"] instance decLt (n m : @& Nat) : Decidable (n < m) := decLe (succ n) m

/-! ### Induction principles -/

@[elab_as_elim] protected theorem strongRecOn' {p : Nat → Prop} (n : Nat) (h : ∀ n, (∀ m, m < n → p m) → p n) : p n := by
  have below : ∀ k m, m < k → p m := by
    intro k
    induction k with
    | zero => intro m h; exact absurd h (not_lt_zero m)
    | succ k ih => intro m hm; exact h m fun l hl => ih l (Nat.lt_of_lt_of_le hl (le_of_lt_succ hm))
  exact below (n + 1) n (lt_succ_self n)
@[elab_as_elim] protected theorem strong_induction_on {p : Nat → Prop} (n : Nat) (h : ∀ n, (∀ m, m < n → p m) → p n) : p n :=
  Nat.strongRecOn' n h
@[elab_as_elim] theorem case_strong_induction_on {p : Nat → Prop} (a : Nat) (hz : p 0) (hi : ∀ n, (∀ m, m ≤ n → p m) → p (succ n)) : p a :=
  Nat.strongRecOn' a fun n => match n with
    | 0 => fun _ => hz
    | n + 1 => fun h => hi n fun m hm => h m (lt_succ_of_le hm)
@[elab_as_elim] theorem le_induction {m : Nat} {p : ∀ n, m ≤ n → Prop} (base : p m (Nat.le_refl m))
    (succ : ∀ n (h : m ≤ n), p n h → p (n + 1) (Nat.le_succ_of_le h)) : ∀ n (h : m ≤ n), p n h
  | _, .refl => base
  | n + 1, .step h => succ n h (le_induction base succ n h)
@[elab_as_elim] theorem twoStepInduction {p : Nat → Prop} (zero : p 0) (one : p 1) (more : ∀ n, p n → p (n + 1) → p (n + 2)) : ∀ n, p n
  | 0 => zero
  | 1 => one
  | n + 2 => more n (twoStepInduction zero one more n) (twoStepInduction zero one more (n + 1))

/-! ### Subtraction -/

@[simp] protected theorem sub_zero (n : Nat) : n - 0 = n := rfl
theorem sub_succ (n m : Nat) : n - succ m = pred (n - m) := rfl
@[simp] theorem succ_sub_succ_eq_sub (n m : Nat) : succ n - succ m = n - m := by
  induction m with
  | zero => rfl
  | succ m ih => exact congrArg pred ih
theorem succ_sub_succ (n m : Nat) : succ n - succ m = n - m := succ_sub_succ_eq_sub n m
@[simp] protected theorem add_sub_add_right (n k m : Nat) : n + k - (m + k) = n - m := by
  induction k with
  | zero => rfl
  | succ k ih => exact (succ_sub_succ _ _).trans ih
@[simp] protected theorem add_sub_add_left (k n m : Nat) : k + n - (k + m) = n - m := by
  rw [Nat.add_comm k n, Nat.add_comm k m, Nat.add_sub_add_right]
@[simp] protected theorem zero_sub (n : Nat) : 0 - n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [sub_succ, ih]; rfl
@[simp] protected theorem sub_self (n : Nat) : n - n = 0 := by
  have := Nat.add_sub_add_right 0 n 0
  rwa [Nat.zero_add] at this
@[simp] protected theorem add_sub_cancel (n m : Nat) : n + m - m = n := by
  have := Nat.add_sub_add_right n m 0
  rwa [Nat.zero_add] at this
@[simp] protected theorem add_sub_cancel_left (n m : Nat) : n + m - n = m := by rw [Nat.add_comm, Nat.add_sub_cancel]
@[simp] protected theorem add_sub_cancel_right (n m : Nat) : n + m - m = n := Nat.add_sub_cancel n m
theorem sub_add_eq (a b c : Nat) : a - (b + c) = a - b - c := by
  induction c with
  | zero => rfl
  | succ c ih => rw [← Nat.add_assoc, ← succ_eq_add_one, sub_succ, ih]; rfl
protected theorem sub_sub (n m k : Nat) : n - m - k = n - (m + k) := (sub_add_eq n m k).symm
protected theorem sub_right_comm (m n k : Nat) : m - n - k = m - k - n := by rw [Nat.sub_sub, Nat.add_comm, ← Nat.sub_sub]
theorem sub_le (n m : Nat) : n - m ≤ n := by
  induction m with
  | zero => exact Nat.le_refl n
  | succ m ih => exact Nat.le_trans (pred_le _) ih
attribute [simp] sub_le
theorem sub_lt : ∀ {n m : Nat}, 0 < n → 0 < m → n - m < n
  | n + 1, m + 1, _, _ => by rw [Nat.add_sub_add_right]; exact lt_succ_of_le (sub_le n m)
protected theorem sub_eq_zero_of_le {n m : Nat} (h : n ≤ m) : n - m = 0 := by
  match exists_eq_add_of_le h with
  | ⟨d, e⟩ => rw [e, ← Nat.sub_sub, Nat.sub_self, Nat.zero_sub]
protected theorem add_sub_of_le {a b : Nat} (h : a ≤ b) : a + (b - a) = b := by
  match exists_eq_add_of_le h with
  | ⟨d, e⟩ => rw [e, Nat.add_sub_cancel_left]
protected theorem sub_add_cancel {n m : Nat} (h : m ≤ n) : n - m + m = n := by rw [Nat.add_comm, Nat.add_sub_of_le h]
attribute [simp] Nat.sub_add_cancel
protected theorem add_sub_cancel' {n m : Nat} (h : m ≤ n) : m + (n - m) = n := Nat.add_sub_of_le h
protected theorem le_of_sub_eq_zero : ∀ {n m : Nat}, n - m = 0 → n ≤ m
  | 0, m, _ => zero_le m
  | n + 1, 0, h => absurd h (succ_ne_zero n)
  | n + 1, m + 1, h => succ_le_succ (Nat.le_of_sub_eq_zero (by rwa [Nat.add_sub_add_right] at h))
protected theorem sub_eq_zero_iff_le {n m : Nat} : n - m = 0 ↔ n ≤ m := ⟨Nat.le_of_sub_eq_zero, Nat.sub_eq_zero_of_le⟩
protected theorem sub_pos_of_lt {m n : Nat} (h : m < n) : 0 < n - m :=
  Nat.pos_of_ne_zero fun e => Nat.not_le_of_gt h (Nat.le_of_sub_eq_zero e)
protected theorem lt_of_sub_pos {m n : Nat} (h : 0 < n - m) : m < n :=
  Nat.lt_of_not_le fun k => Nat.ne_of_gt h (Nat.sub_eq_zero_of_le k)
@[simp] protected theorem sub_pos_iff_lt {n m : Nat} : 0 < n - m ↔ m < n := ⟨Nat.lt_of_sub_pos, Nat.sub_pos_of_lt⟩
protected theorem sub_ne_zero_of_lt {a b : Nat} (h : a < b) : b - a ≠ 0 := Nat.ne_of_gt (Nat.sub_pos_of_lt h)
protected theorem add_sub_assoc {m k : Nat} (h : k ≤ m) (n : Nat) : n + m - k = n + (m - k) := by
  match exists_eq_add_of_le' h with
  | ⟨d, e⟩ => rw [e, ← Nat.add_assoc, Nat.add_sub_cancel, Nat.add_sub_cancel]
protected theorem sub_add_comm {n m k : Nat} (h : k ≤ n) : n + m - k = n - k + m := by
  rw [Nat.add_comm n m, Nat.add_sub_assoc h, Nat.add_comm]
theorem succ_sub {m n : Nat} (h : n ≤ m) : succ m - n = succ (m - n) := Nat.sub_add_comm (m := 1) h
protected theorem sub_eq_iff_eq_add {a b c : Nat} (h : b ≤ a) : a - b = c ↔ a = c + b :=
  ⟨fun e => by rw [← e, Nat.sub_add_cancel h], fun e => by rw [e, Nat.add_sub_cancel]⟩
protected theorem sub_eq_iff_eq_add' {a b c : Nat} (h : b ≤ a) : a - b = c ↔ a = b + c := by
  rw [Nat.sub_eq_iff_eq_add h, Nat.add_comm]
protected theorem sub_eq_of_eq_add {a b c : Nat} (h : a = c + b) : a - b = c := by rw [h, Nat.add_sub_cancel]
protected theorem eq_sub_of_add_eq {a b c : Nat} (h : a + b = c) : a = c - b := by rw [← h, Nat.add_sub_cancel]
protected theorem le_sub_iff_add_le {x y k : Nat} (h : k ≤ y) : x ≤ y - k ↔ x + k ≤ y := by
  match exists_eq_add_of_le' h with
  | ⟨d, e⟩ => rw [e, Nat.add_sub_cancel]; exact Nat.add_le_add_iff_right.symm
protected theorem sub_le_iff_le_add {a b c : Nat} : a - b ≤ c ↔ a ≤ c + b := by
  cases Nat.le_total b a with
  | inl h =>
    match exists_eq_add_of_le' h with
    | ⟨d, e⟩ => rw [e, Nat.add_sub_cancel]; exact Nat.add_le_add_iff_right.symm
  | inr h => rw [Nat.sub_eq_zero_of_le h]; exact ⟨fun _ => le_add_left_of_le h, fun _ => zero_le c⟩
protected theorem sub_le_iff_le_add' {a b c : Nat} : a - b ≤ c ↔ a ≤ b + c := by rw [Nat.add_comm]; exact Nat.sub_le_iff_le_add
protected theorem lt_sub_iff_add_lt {a b c : Nat} : a < c - b ↔ a + b < c := by
  rw [← Nat.not_le, ← Nat.not_le]; exact not_congr Nat.sub_le_iff_le_add
protected theorem lt_sub_of_add_lt {a b c : Nat} (h : a + b < c) : a < c - b := Nat.lt_sub_iff_add_lt.2 h
protected theorem sub_lt_iff_lt_add {a b c : Nat} (h : b ≤ a) : a - b < c ↔ a < c + b := by
  match exists_eq_add_of_le' h with
  | ⟨d, e⟩ => rw [e, Nat.add_sub_cancel]; exact Nat.add_lt_add_iff_right.symm
protected theorem sub_le_sub_left {n m : Nat} (h : n ≤ m) (k : Nat) : k - m ≤ k - n := by
  match exists_eq_add_of_le h with
  | ⟨d, e⟩ => rw [e, ← Nat.sub_sub]; exact sub_le _ d
protected theorem sub_le_sub_right {n m : Nat} (h : n ≤ m) (k : Nat) : n - k ≤ m - k :=
  Nat.sub_le_iff_le_add.2 (Nat.le_trans h (Nat.le_trans (Nat.sub_le_iff_le_add.1 (Nat.le_refl (m - k))) (Nat.le_refl _)))
protected theorem sub_add_sub_cancel {a b c : Nat} (h₁ : b ≤ a) (h₂ : c ≤ b) : a - b + (b - c) = a - c := by
  rw [← Nat.add_sub_assoc h₂, Nat.sub_add_cancel h₁]
protected theorem sub_sub_self {n m : Nat} (h : m ≤ n) : n - (n - m) = m :=
  (Nat.sub_eq_iff_eq_add (sub_le n m)).2 (Nat.add_sub_of_le h).symm
theorem sub_mul (n m k : Nat) : (n - m) * k = n * k - m * k := by
  cases Nat.le_total m n with
  | inl h =>
    match exists_eq_add_of_le' h with
    | ⟨d, e⟩ => rw [e, Nat.add_sub_cancel, Nat.add_mul, Nat.add_sub_cancel]
  | inr h => rw [Nat.sub_eq_zero_of_le h, Nat.sub_eq_zero_of_le (mul_le_mul_right k h), Nat.zero_mul]
protected theorem mul_sub (k m n : Nat) : k * (m - n) = k * m - k * n := by
  rw [Nat.mul_comm, sub_mul, Nat.mul_comm m, Nat.mul_comm n]
protected theorem mul_sub_one (n m : Nat) : n * (m - 1) = n * m - n := by rw [Nat.mul_sub, Nat.mul_one]
protected theorem sub_one_mul (n m : Nat) : (n - 1) * m = n * m - m := by rw [Nat.sub_mul, Nat.one_mul]
theorem sub_add_min_cancel' (n m : Nat) : n - m ≤ n := sub_le n m

/-! ### Minimum and maximum -/

end Nat
class Min (α : Type u) where min : α → α → α
export Min (min)
class Max (α : Type u) where max : α → α → α
export Max (max)
@[inline] def minOfLe {α : Type u} [LE α] [DecidableRel (fun (a b : α) => a ≤ b)] : Min α := ⟨fun a b => if a ≤ b then a else b⟩
@[inline] def maxOfLe {α : Type u} [LE α] [DecidableRel (fun (a b : α) => a ≤ b)] : Max α := ⟨fun a b => if a ≤ b then b else a⟩
namespace Nat
instance instMinNat : Min Nat := ⟨fun a b => if a ≤ b then a else b⟩
instance instMaxNat : Max Nat := ⟨fun a b => if a ≤ b then b else a⟩
theorem min_def (a b : Nat) : min a b = if a ≤ b then a else b := rfl
theorem max_def (a b : Nat) : max a b = if a ≤ b then b else a := rfl
protected theorem min_eq_left {a b : Nat} (h : a ≤ b) : min a b = a := if_pos h
protected theorem min_eq_right {a b : Nat} (h : b ≤ a) : min a b = b := by
  rw [min_def]; split
  · exact Nat.le_antisymm ‹_› h
  · rfl
protected theorem max_eq_right {a b : Nat} (h : a ≤ b) : max a b = b := if_pos h
protected theorem max_eq_left {a b : Nat} (h : b ≤ a) : max a b = a := by
  rw [max_def]; split
  · exact Nat.le_antisymm h ‹_›
  · rfl
protected theorem min_comm (a b : Nat) : min a b = min b a := by
  cases Nat.le_total a b with
  | inl h => rw [Nat.min_eq_left h, Nat.min_eq_right h]
  | inr h => rw [Nat.min_eq_left h, Nat.min_eq_right h]
protected theorem max_comm (a b : Nat) : max a b = max b a := by
  cases Nat.le_total a b with
  | inl h => rw [Nat.max_eq_left h, Nat.max_eq_right h]
  | inr h => rw [Nat.max_eq_left h, Nat.max_eq_right h]
protected theorem min_le_left (a b : Nat) : min a b ≤ a := by
  cases Nat.le_total a b with
  | inl h => exact Nat.le_of_eq (Nat.min_eq_left h)
  | inr h => rw [Nat.min_eq_right h]; exact h
protected theorem min_le_right (a b : Nat) : min a b ≤ b := Nat.min_comm b a ▸ Nat.min_le_left b a
protected theorem le_max_left (a b : Nat) : a ≤ max a b := by
  cases Nat.le_total a b with
  | inl h => rw [Nat.max_eq_right h]; exact h
  | inr h => exact Nat.le_of_eq (Nat.max_eq_left h).symm
protected theorem le_max_right (a b : Nat) : b ≤ max a b := Nat.max_comm b a ▸ Nat.le_max_left b a
@[simp] protected theorem min_self (a : Nat) : min a a = a := Nat.min_eq_left (Nat.le_refl a)
@[simp] protected theorem max_self (a : Nat) : max a a = a := Nat.max_eq_left (Nat.le_refl a)
protected theorem le_min {a b c : Nat} : a ≤ min b c ↔ a ≤ b ∧ a ≤ c :=
  ⟨fun h => ⟨Nat.le_trans h (Nat.min_le_left b c), Nat.le_trans h (Nat.min_le_right b c)⟩,
   fun ⟨h, k⟩ => by rw [min_def]; split <;> assumption⟩
protected theorem max_le {a b c : Nat} : max a b ≤ c ↔ a ≤ c ∧ b ≤ c :=
  ⟨fun h => ⟨Nat.le_trans (Nat.le_max_left a b) h, Nat.le_trans (Nat.le_max_right a b) h⟩,
   fun ⟨h, k⟩ => by rw [max_def]; split <;> assumption⟩
@[simp] protected theorem zero_max (a : Nat) : max 0 a = a := Nat.max_eq_right (zero_le a)
@[simp] protected theorem max_zero (a : Nat) : max a 0 = a := Nat.max_eq_left (zero_le a)
@[simp] protected theorem zero_min (a : Nat) : min 0 a = 0 := Nat.min_eq_left (zero_le a)
@[simp] protected theorem min_zero (a : Nat) : min a 0 = 0 := Nat.min_eq_right (zero_le a)

/-! ### What the simplifier's arithmetic on literals appeals to -/

namespace Simproc
theorem sub_add_eq_comm (a b c : Nat) : a - (b + c) = a - c - b := by rw [Nat.add_comm, Nat.sub_add_eq]
theorem add_sub_add_le (a c : Nat) {b d : Nat} (h : b ≤ d) : a + b - (c + d) = a - (c + (d - b)) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact Nat.add_sub_add_right _ _ _
theorem add_sub_add_ge (a c : Nat) {b d : Nat} (h : b ≥ d) : a + b - (c + d) = a + (b - d) - c := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact Nat.add_sub_add_right _ _ _
theorem add_sub_le (a : Nat) {b c : Nat} (h : b ≤ c) : a + b - c = a - (c - b) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, Nat.add_sub_add_right]
theorem add_eq_gt (a : Nat) {b c : Nat} (h : b > c) : (a + b = c) = False :=
  eq_false fun e => Nat.not_le_of_gt h (e ▸ le_add_left b a)
theorem eq_add_gt (a : Nat) {b c : Nat} (h : c > a) : (a = b + c) = False :=
  eq_false fun e => Nat.not_le_of_gt h (e ▸ le_add_left c b)
theorem add_eq_add_le (a c : Nat) {b d : Nat} (h : b ≤ d) : (a + b = c + d) = (a = c + (d - b)) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_right_cancel_iff
theorem add_eq_add_ge (a c : Nat) {b d : Nat} (h : b ≥ d) : (a + b = c + d) = (a + (b - d) = c) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_right_cancel_iff
theorem add_eq_le (a : Nat) {b c : Nat} (h : b ≤ c) : (a + b = c) = (a = c - b) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel]; exact propext Nat.add_right_cancel_iff
theorem eq_add_le {a : Nat} (b : Nat) {c : Nat} (h : c ≤ a) : (a = b + c) = (b = a - c) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel]; exact propext (Nat.add_right_cancel_iff.trans eq_comm)
theorem beqEqOfEqEq {a b c d : Nat} (p : (a = b) = (c = d)) : (a == b) = (c == d) := by
  cases h : c == d
  · exact eq_false_of_ne_true fun e => ne_of_beq_false h (p ▸ eq_of_beq e)
  · exact beq_of_eq (p ▸ eq_of_beq h)
theorem beqFalseOfEqFalse {a b : Nat} (p : (a = b) = False) : (a == b) = false := eq_false_of_ne_true fun e => p ▸ eq_of_beq e
theorem bneEqOfEqEq {a b c d : Nat} (p : (a = b) = (c = d)) : (a != b) = (c != d) := congrArg Bool.not (beqEqOfEqEq p)
theorem bneTrueOfEqFalse {a b : Nat} (p : (a = b) = False) : (a != b) = true := congrArg Bool.not (beqFalseOfEqFalse p)
theorem add_le_add_le (a c : Nat) {b d : Nat} (h : b ≤ d) : (a + b ≤ c + d) = (a ≤ c + (d - b)) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_le_add_iff_right
theorem add_le_add_ge (a c : Nat) {b d : Nat} (h : b ≥ d) : (a + b ≤ c + d) = (a + (b - d) ≤ c) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_le_add_iff_right
theorem add_le_eq (a b : Nat) : (a + b ≤ b) = (a = 0) := by rw [Nat.add_comm]; exact propext add_le_right_iff
theorem add_le_le (a : Nat) {b c : Nat} (h : b ≤ c) : (a + b ≤ c) = (a ≤ c - b) := propext (Nat.le_sub_iff_add_le h).symm
theorem add_le_gt (a : Nat) {b c : Nat} (h : b > c) : (a + b ≤ c) = False :=
  eq_false fun k => Nat.not_le_of_gt h (le_of_add_left_le k)
theorem add_lt_lt (a : Nat) {b c : Nat} (_ : b < c) : (a + b < c) = (a < c - b) := propext Nat.lt_sub_iff_add_lt.symm
theorem add_lt_ge (a : Nat) {b c : Nat} (h : b ≥ c) : (a + b < c) = False :=
  eq_false fun k => Nat.not_le_of_gt k (le_add_left_of_le h)
theorem le_add_le (a : Nat) {b c : Nat} (h : a ≤ c) : (a ≤ b + c) = True := eq_true (le_add_left_of_le h)
theorem le_add_ge {a : Nat} (b : Nat) {c : Nat} (_ : a ≥ c) : (a ≤ b + c) = (a - c ≤ b) := propext Nat.sub_le_iff_le_add.symm
theorem lt_add_ge {a : Nat} (b : Nat) {c : Nat} (h : a ≥ c) : (a < b + c) = (a - c < b) := propext (Nat.sub_lt_iff_lt_add h).symm
theorem add_lt_add_le (a c : Nat) {b d : Nat} (h : b ≤ d) : (a + b < c + d) = (a < c + (d - b)) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_lt_add_iff_right
theorem add_lt_add_ge (a c : Nat) {b d : Nat} (h : b ≥ d) : (a + b < c + d) = (a + (b - d) < c) := by
  match exists_eq_add_of_le' h with
  | ⟨k, e⟩ => rw [e, Nat.add_sub_cancel, ← Nat.add_assoc]; exact propext Nat.add_lt_add_iff_right
end Simproc
end Nat
