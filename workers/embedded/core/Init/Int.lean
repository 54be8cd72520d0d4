/-
Init.Int: integers, their operations and decidable order. Literals are computed by the kernel; no algebra is proved yet.
-/
prelude
import Init.Div
set_option linter.all false
set_option warn.classDefReducibility false

set_option genCtorIdx false in
inductive Int : Type where
  | ofNat : Nat → Int
  | negSucc : Nat → Int
attribute [extern "lean_nat_to_int"] Int.ofNat
attribute [extern "lean_int_neg_succ_of_nat"] Int.negSucc

instance instNatCastInt : NatCast Int := ⟨Int.ofNat⟩
instance instInhabited : Inhabited Int := ⟨Int.ofNat 0⟩
instance instOfNat {n : Nat} : OfNat Int n := ⟨Int.ofNat n⟩

namespace Int
set_option bootstrap.genMatcherCode false
def negOfNat : Nat → Int
  | 0 => ofNat 0
  | n + 1 => negSucc n
@[extern "lean_int_neg"] protected def neg (n : @& Int) : Int :=
  match n with
  | ofNat n => negOfNat n
  | negSucc n => ofNat (n + 1)
@[default_instance mid] instance instNegInt : Neg Int := ⟨Int.neg⟩
def subNatNat (m n : Nat) : Int :=
  match n - m with
  | 0 => ofNat (m - n)
  | k + 1 => negSucc k
@[extern "lean_int_add"] protected def add (m n : @& Int) : Int :=
  match m, n with
  | ofNat m, ofNat n => ofNat (m + n)
  | ofNat m, negSucc n => subNatNat m (n + 1)
  | negSucc m, ofNat n => subNatNat n (m + 1)
  | negSucc m, negSucc n => negSucc (m + n + 1)
instance instAddInt : Add Int := ⟨Int.add⟩
@[extern "lean_int_mul"] protected def mul (m n : @& Int) : Int :=
  match m, n with
  | ofNat m, ofNat n => ofNat (m * n)
  | ofNat m, negSucc n => negOfNat (m * (n + 1))
  | negSucc m, ofNat n => negOfNat ((m + 1) * n)
  | negSucc m, negSucc n => ofNat ((m + 1) * (n + 1))
instance instMulInt : Mul Int := ⟨Int.mul⟩
@[extern "lean_int_sub"] protected def sub (m n : @& Int) : Int := m + -n
instance instSubInt : Sub Int := ⟨Int.sub⟩
inductive NonNeg : Int → Prop where
  | mk (n : Nat) : NonNeg (ofNat n)
protected def le (a b : Int) : Prop := NonNeg (b - a)
instance instLEInt : LE Int := ⟨Int.le⟩
protected def lt (a b : Int) : Prop := a + 1 ≤ b
instance instLTInt : LT Int := ⟨Int.lt⟩
def IsNatural : Int → Prop
  | ofNat _ => True
  | negSucc _ => False
theorem NonNeg.isNatural {a : Int} (h : NonNeg a) : IsNatural a := h.rec fun _ => trivial
theorem not_nonNeg_negSucc {n : Nat} : ¬NonNeg (negSucc n) := NonNeg.isNatural
@[extern "lean_nat_abs"] def natAbs (m : @& Int) : Nat :=
  match m with
  | ofNat m => m
  | negSucc m => m + 1
@[extern "lean_int_dec_nonneg"] protected def decNonneg (m : @& Int) : Decidable (NonNeg m) :=
  match m with
  | ofNat m => isTrue (.mk m)
  | negSucc _ => isFalse not_nonNeg_negSucc
@[extern "lean_int_dec_le"] instance decLe (a b : @& Int) : Decidable (a ≤ b) := Int.decNonneg _
@[extern "lean_int_dec_lt"] instance decLt (a b : @& Int) : Decidable (a < b) := Int.decNonneg _
def ctorIdx : Int → Nat
  | ofNat _ => 0
  | negSucc _ => 1
def toNat : Int → Nat
  | ofNat n => n
  | negSucc _ => 0
@[extern "lean_int_dec_eq"] protected def decEq (a b : @& Int) : Decidable (a = b) :=
  match a, b with
  | ofNat a, ofNat b => match Nat.decEq a b with
    | isTrue h => isTrue (congrArg ofNat h)
    | isFalse n => isFalse fun h => n (congrArg natAbs h)
  | negSucc a, negSucc b => match Nat.decEq a b with
    | isTrue h => isTrue (congrArg negSucc h)
    | isFalse n => isFalse fun h => n (congrArg (fun i => natAbs i - 1) h)
  | ofNat _, negSucc _ => isFalse fun h => Eq.mp (congrArg IsNatural h) trivial
  | negSucc _, ofNat _ => isFalse fun h => Eq.mp (congrArg IsNatural h.symm) trivial
instance instDecidableEq : DecidableEq Int := Int.decEq
@[extern "lean_int_div"] protected def tdiv (m n : @& Int) : Int :=
  match m, n with
  | ofNat m, ofNat n => ofNat (m / n)
  | ofNat m, negSucc n => -ofNat (m / (n + 1))
  | negSucc m, ofNat n => -ofNat ((m + 1) / n)
  | negSucc m, negSucc n => ofNat ((m + 1) / (n + 1))
@[simp] theorem natAbs_ofNat (n : Nat) : natAbs (ofNat n) = n := rfl
@[simp] theorem natAbs_neg (a : Int) : natAbs (-a) = natAbs a := by
  match a with
  | ofNat 0 => rfl
  | ofNat (_ + 1) => rfl
  | negSucc _ => rfl
@[simp] protected theorem neg_neg (a : Int) : -(-a) = a := by
  match a with
  | ofNat 0 => rfl
  | ofNat (_ + 1) => rfl
  | negSucc _ => rfl
protected theorem add_comm (a b : Int) : a + b = b + a := by
  match a, b with
  | ofNat a, ofNat b => exact congrArg ofNat (Nat.add_comm a b)
  | ofNat _, negSucc _ => rfl
  | negSucc _, ofNat _ => rfl
  | negSucc a, negSucc b => exact congrArg (fun n => negSucc (n + 1)) (Nat.add_comm a b)
protected theorem mul_comm (a b : Int) : a * b = b * a := by
  match a, b with
  | ofNat a, ofNat b => exact congrArg ofNat (Nat.mul_comm a b)
  | ofNat a, negSucc b => exact congrArg negOfNat (Nat.mul_comm a (b + 1))
  | negSucc a, ofNat b => exact congrArg negOfNat (Nat.mul_comm (a + 1) b)
  | negSucc a, negSucc b => exact congrArg ofNat (Nat.mul_comm (a + 1) (b + 1))
@[simp] protected theorem add_zero (a : Int) : a + 0 = a := by
  match a with
  | ofNat _ => rfl
  | negSucc _ => rfl
@[simp] protected theorem zero_add (a : Int) : 0 + a = a := by rw [Int.add_comm, Int.add_zero]
theorem subNatNat_self (n : Nat) : subNatNat n n = 0 := by
  unfold subNatNat
  rw [Nat.sub_self]
  rfl
protected theorem add_right_neg (a : Int) : a + -a = 0 := by
  match a with
  | ofNat 0 => rfl
  | ofNat (n + 1) => exact subNatNat_self (n + 1)
  | negSucc n => exact subNatNat_self (n + 1)
@[simp] protected theorem sub_self (a : Int) : a - a = 0 := Int.add_right_neg a
@[simp] protected theorem le_refl (a : Int) : a ≤ a := by
  show NonNeg (a - a)
  rw [Int.sub_self]
  exact .mk 0
end Int
