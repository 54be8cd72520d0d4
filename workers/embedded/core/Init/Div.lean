/-
Init.Div: division, remainder, divisibility and greatest common divisors of natural numbers; associative-commutative normal forms.
-/
prelude
import Init.WF
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w

namespace Nat

/-! ### Division and remainder

Both recursions count down a bound on the dividend, so that the kernel can unfold them; on literals it computes them directly. -/

def divBounded : (bound x y : Nat) → Nat
  | 0, _, _ => 0
  | b + 1, x, y => if 0 < y ∧ y ≤ x then divBounded b (x - y) y + 1 else 0
def modBounded : (bound x y : Nat) → Nat
  | 0, x, _ => x
  | b + 1, x, y => if 0 < y ∧ y ≤ x then modBounded b (x - y) y else x
@[extern "lean_nat_div"] protected def div (x y : @& Nat) : Nat := divBounded x x y
@[extern "lean_nat_mod"] protected def mod (x y : @& Nat) : Nat := modBounded x x y
instance instDivNat : Div Nat := ⟨Nat.div⟩
instance instModNat : Mod Nat := ⟨Nat.mod⟩

theorem sub_le_of_pos {x y b : Nat} (hy : 0 < y) (hx : y ≤ x) (h : x ≤ b + 1) : x - y ≤ b :=
  Nat.le_of_lt_succ (Nat.lt_of_lt_of_le (Nat.sub_lt (Nat.lt_of_lt_of_le hy hx) hy) h)
theorem divBounded_eq (y : Nat) : ∀ b c x : Nat, x ≤ b → x ≤ c → divBounded b x y = divBounded c x y := by
  intro b
  induction b with
  | zero =>
    intro c x hb _
    cases c with
    | zero => rfl
    | succ c =>
      rw [Nat.eq_zero_of_le_zero hb]
      exact (ite_eq_right fun ⟨h, k⟩ => Nat.not_le_of_gt h k).symm
  | succ b ih =>
    intro c x hb hc
    cases c with
    | zero =>
      rw [Nat.eq_zero_of_le_zero hc]
      exact ite_eq_right fun ⟨h, k⟩ => Nat.not_le_of_gt h k
    | succ c =>
      show (if 0 < y ∧ y ≤ x then divBounded b (x - y) y + 1 else 0) = if 0 < y ∧ y ≤ x then divBounded c (x - y) y + 1 else 0
      by_cases h : 0 < y ∧ y ≤ x
      · rw [ite_eq_left h, ite_eq_left h, ih c (x - y) (sub_le_of_pos h.1 h.2 hb) (sub_le_of_pos h.1 h.2 hc)]
      · rw [ite_eq_right h, ite_eq_right h]
theorem modBounded_eq (y : Nat) : ∀ b c x : Nat, x ≤ b → x ≤ c → modBounded b x y = modBounded c x y := by
  intro b
  induction b with
  | zero =>
    intro c x hb _
    cases c with
    | zero => rfl
    | succ c =>
      rw [Nat.eq_zero_of_le_zero hb]
      exact (ite_eq_right fun ⟨h, k⟩ => Nat.not_le_of_gt h k).symm
  | succ b ih =>
    intro c x hb hc
    cases c with
    | zero =>
      rw [Nat.eq_zero_of_le_zero hc]
      exact ite_eq_right fun ⟨h, k⟩ => Nat.not_le_of_gt h k
    | succ c =>
      show (if 0 < y ∧ y ≤ x then modBounded b (x - y) y else x) = if 0 < y ∧ y ≤ x then modBounded c (x - y) y else x
      by_cases h : 0 < y ∧ y ≤ x
      · rw [ite_eq_left h, ite_eq_left h, ih c (x - y) (sub_le_of_pos h.1 h.2 hb) (sub_le_of_pos h.1 h.2 hc)]
      · rw [ite_eq_right h, ite_eq_right h]
theorem div_eq (x y : Nat) : x / y = if 0 < y ∧ y ≤ x then (x - y) / y + 1 else 0 := by
  have step : x / y = divBounded (x + 1) x y := divBounded_eq y x (x + 1) x (Nat.le_refl x) (Nat.le_succ x)
  rw [step]
  show (if 0 < y ∧ y ≤ x then divBounded x (x - y) y + 1 else 0) = _
  by_cases h : 0 < y ∧ y ≤ x
  · rw [ite_eq_left h, ite_eq_left h, divBounded_eq y x (x - y) (x - y) (Nat.sub_le x y) (Nat.le_refl _)]; rfl
  · rw [ite_eq_right h, ite_eq_right h]
theorem mod_eq (x y : Nat) : x % y = if 0 < y ∧ y ≤ x then (x - y) % y else x := by
  have step : x % y = modBounded (x + 1) x y := modBounded_eq y x (x + 1) x (Nat.le_refl x) (Nat.le_succ x)
  rw [step]
  show (if 0 < y ∧ y ≤ x then modBounded x (x - y) y else x) = _
  by_cases h : 0 < y ∧ y ≤ x
  · rw [ite_eq_left h, ite_eq_left h, modBounded_eq y x (x - y) (x - y) (Nat.sub_le x y) (Nat.le_refl _)]; rfl
  · rw [ite_eq_right h, ite_eq_right h]
theorem div_eq_of_lt {a b : Nat} (h : a < b) : a / b = 0 := by rw [div_eq, ite_eq_right fun k => Nat.not_le_of_gt h k.2]
theorem mod_eq_of_lt {a b : Nat} (h : a < b) : a % b = a := by rw [mod_eq, ite_eq_right fun k => Nat.not_le_of_gt h k.2]
@[simp] protected theorem div_zero (b : Nat) : b / 0 = 0 := by rw [div_eq, ite_eq_right fun k => Nat.lt_irrefl 0 k.1]
@[simp] theorem mod_zero (a : Nat) : a % 0 = a := by rw [mod_eq, ite_eq_right fun k => Nat.lt_irrefl 0 k.1]
@[simp] theorem zero_div (b : Nat) : 0 / b = 0 := by rw [div_eq, ite_eq_right fun k => Nat.not_le_of_gt k.1 k.2]
@[simp] theorem zero_mod (b : Nat) : 0 % b = 0 := by rw [mod_eq, ite_eq_right fun k => Nat.not_le_of_gt k.1 k.2]
@[simp] theorem add_div_right (x : Nat) {z : Nat} (h : 0 < z) : (x + z) / z = x / z + 1 := by
  rw [div_eq, ite_eq_left ⟨h, Nat.le_add_left z x⟩, Nat.add_sub_cancel]
@[simp] theorem add_mod_right (x z : Nat) : (x + z) % z = x % z := by
  cases Nat.eq_zero_or_pos z with
  | inl h => rw [h]; rfl
  | inr h => rw [mod_eq, ite_eq_left ⟨h, Nat.le_add_left z x⟩, Nat.add_sub_cancel]
@[simp] theorem add_mod_left (x z : Nat) : (x + z) % x = z % x := by rw [Nat.add_comm, add_mod_right]
theorem add_div_left (x : Nat) {z : Nat} (h : 0 < z) : (z + x) / z = x / z + 1 := by rw [Nat.add_comm, add_div_right x h]
theorem mod_eq_sub_mod {a b : Nat} (h : a ≥ b) : a % b = (a - b) % b := by
  have := add_mod_right (a - b) b
  rwa [Nat.sub_add_cancel h] at this
theorem mod_lt (x : Nat) {y : Nat} (hy : y > 0) : x % y < y := by
  induction x using Nat.strongRecOn' with
  | h x ih =>
    rw [mod_eq]
    split
    · exact ih _ (Nat.sub_lt (Nat.lt_of_lt_of_le hy (And.right ‹_›)) hy)
    · exact Nat.lt_of_not_le fun k => (‹¬(0 < y ∧ y ≤ x)› ⟨hy, k⟩)
theorem div_add_mod (m k : Nat) : k * (m / k) + m % k = m := by
  induction m using Nat.strongRecOn' with
  | h m ih =>
    rw [div_eq, mod_eq]
    by_cases h : 0 < k ∧ k ≤ m
    · rw [ite_eq_left h, ite_eq_left h, Nat.mul_add_one, Nat.add_right_comm, ih _ (Nat.sub_lt (Nat.lt_of_lt_of_le h.1 h.2) h.1),
        Nat.sub_add_cancel h.2]
    · rw [ite_eq_right h, ite_eq_right h, Nat.mul_zero, Nat.zero_add]
theorem mod_add_div (m k : Nat) : m % k + k * (m / k) = m := by rw [Nat.add_comm, div_add_mod]
theorem mod_le (x y : Nat) : x % y ≤ x := Nat.le_trans (Nat.le_add_left _ _) (Nat.le_of_eq (div_add_mod x y))
@[simp] theorem mod_self (n : Nat) : n % n = 0 := by
  have := add_mod_right 0 n
  rwa [Nat.zero_add, zero_mod] at this
@[simp] theorem mod_one (x : Nat) : x % 1 = 0 := Nat.eq_zero_of_le_zero (Nat.le_of_lt_succ (mod_lt x Nat.zero_lt_one))
@[simp] protected theorem div_one (n : Nat) : n / 1 = n := by
  have := div_add_mod n 1
  rwa [mod_one, Nat.one_mul, Nat.add_zero] at this
@[simp] protected theorem div_self {n : Nat} (h : 0 < n) : n / n = 1 := by
  have := add_div_right 0 h
  rwa [Nat.zero_add, zero_div] at this
@[simp] theorem add_mul_mod_self_left (x y z : Nat) : (x + y * z) % y = x % y := by
  induction z with
  | zero => rfl
  | succ z ih => rw [Nat.mul_add_one, ← Nat.add_assoc, add_mod_right, ih]
@[simp] theorem add_mul_mod_self_right (x y z : Nat) : (x + y * z) % z = x % z := by rw [Nat.mul_comm, add_mul_mod_self_left]
@[simp] theorem mul_mod_right (m n : Nat) : m * n % m = 0 := by
  have := add_mul_mod_self_left 0 m n
  rwa [Nat.zero_add, zero_mod] at this
@[simp] theorem mul_mod_left (m n : Nat) : m * n % n = 0 := by rw [Nat.mul_comm, mul_mod_right]
theorem add_mul_div_left (x z : Nat) {y : Nat} (h : 0 < y) : (x + y * z) / y = x / y + z := by
  induction z with
  | zero => rfl
  | succ z ih => rw [Nat.mul_add_one, ← Nat.add_assoc, add_div_right _ h, ih, Nat.add_assoc]
theorem add_mul_div_right (x y : Nat) {z : Nat} (h : 0 < z) : (x + y * z) / z = x / z + y := by
  rw [Nat.mul_comm, add_mul_div_left x y h]
@[simp] protected theorem mul_div_cancel (m : Nat) {n : Nat} (h : 0 < n) : m * n / n = m := by
  have := add_mul_div_right 0 m h
  rwa [Nat.zero_add, zero_div, Nat.zero_add] at this
@[simp] protected theorem mul_div_cancel_left (m : Nat) {n : Nat} (h : 0 < n) : n * m / n = m := by rw [Nat.mul_comm, Nat.mul_div_cancel m h]
theorem div_lt_self {n k : Nat} (hn : 0 < n) (hk : 1 < k) : n / k < n := by
  cases Nat.eq_zero_or_pos (n / k) with
  | inl h => rw [h]; exact hn
  | inr h =>
    refine Nat.lt_of_lt_of_le ?_ (Nat.le_trans (Nat.le_add_right (k * (n / k)) (n % k)) (Nat.le_of_eq (div_add_mod n k)))
    have := Nat.mul_lt_mul_of_pos_right hk h
    rwa [Nat.one_mul] at this
theorem div_le_self (n k : Nat) : n / k ≤ n := by
  cases Nat.eq_zero_or_pos k with
  | inl h => rw [h, Nat.div_zero]; exact Nat.zero_le n
  | inr h => exact Nat.le_trans (Nat.le_mul_of_pos_left (n / k) h) (Nat.le_trans (Nat.le_add_right _ (n % k)) (Nat.le_of_eq (div_add_mod n k)))
theorem mod_two_eq_zero_or_one (n : Nat) : n % 2 = 0 ∨ n % 2 = 1 :=
  match n % 2, mod_lt n Nat.zero_lt_two with
  | 0, _ => .inl rfl
  | 1, _ => .inr rfl
  | _ + 2, h => absurd (Nat.lt_of_succ_lt_succ (Nat.lt_of_succ_lt_succ h)) (Nat.not_lt_zero _)
@[simp] theorem mod_mod (a n : Nat) : a % n % n = a % n := by
  cases Nat.eq_zero_or_pos n with
  | inl h => rw [h, mod_zero]
  | inr h => exact mod_eq_of_lt (mod_lt a h)
theorem add_mod_mod' (m n k : Nat) : (m + n % k) % k = (m + n) % k := by
  have h := add_mul_mod_self_left (m + n % k) k (n / k)
  rw [Nat.add_assoc, mod_add_div] at h
  exact h.symm
@[simp] theorem add_mod_mod (m n k : Nat) : (m + n % k) % k = (m + n) % k := add_mod_mod' m n k
@[simp] theorem mod_add_mod (m n k : Nat) : (m % n + k) % n = (m + k) % n := by rw [Nat.add_comm, add_mod_mod, Nat.add_comm]
theorem add_mod (a b n : Nat) : (a + b) % n = ((a % n) + (b % n)) % n := by rw [add_mod_mod, mod_add_mod]
theorem mul_mod (a b n : Nat) : a * b % n = (a % n) * (b % n) % n := by
  have left : ∀ a b : Nat, (a % n) * b % n = a * b % n := by
    intro a b
    have h := add_mul_mod_self_left ((a % n) * b) n (a / n * b)
    rw [← Nat.mul_assoc, ← Nat.add_mul, mod_add_div] at h
    exact h.symm
  rw [left, Nat.mul_comm a (b % n), left, Nat.mul_comm]

/-! ### Divisibility -/

instance instDvdNat : Dvd Nat := ⟨fun a b => ∃ c, b = a * c⟩
protected theorem dvd_refl (a : Nat) : a ∣ a := ⟨1, (Nat.mul_one a).symm⟩
protected theorem dvd_zero (a : Nat) : a ∣ 0 := ⟨0, rfl⟩
protected theorem dvd_mul_right (a b : Nat) : a ∣ a * b := ⟨b, rfl⟩
protected theorem dvd_mul_left (a b : Nat) : a ∣ b * a := ⟨b, Nat.mul_comm b a⟩
protected theorem dvd_trans {a b c : Nat} (h₁ : a ∣ b) (h₂ : b ∣ c) : a ∣ c :=
  match h₁, h₂ with
  | ⟨d, hd⟩, ⟨e, he⟩ => ⟨d * e, by rw [he, hd, Nat.mul_assoc]⟩
theorem one_dvd (n : Nat) : 1 ∣ n := ⟨n, (Nat.one_mul n).symm⟩
protected theorem eq_zero_of_zero_dvd {a : Nat} (h : 0 ∣ a) : a = 0 := match h with | ⟨c, e⟩ => e.trans (Nat.zero_mul c)
protected theorem dvd_add {m n k : Nat} (h₁ : k ∣ m) (h₂ : k ∣ n) : k ∣ m + n :=
  match h₁, h₂ with
  | ⟨d, hd⟩, ⟨e, he⟩ => ⟨d + e, by rw [hd, he, Nat.mul_add]⟩
protected theorem dvd_mul_left_of_dvd {a b : Nat} (h : a ∣ b) (c : Nat) : a ∣ c * b := Nat.dvd_trans h (Nat.dvd_mul_left b c)
protected theorem dvd_mul_right_of_dvd {a b : Nat} (h : a ∣ b) (c : Nat) : a ∣ b * c := Nat.dvd_trans h (Nat.dvd_mul_right b c)
protected theorem mul_dvd_mul {a b c d : Nat} (h₁ : a ∣ b) (h₂ : c ∣ d) : a * c ∣ b * d :=
  match h₁, h₂ with
  | ⟨x, hx⟩, ⟨y, hy⟩ => ⟨x * y, by rw [hx, hy, Nat.mul_mul_mul_comm]⟩
theorem dvd_sub' {k m n : Nat} (h₁ : k ∣ m) (h₂ : k ∣ n) : k ∣ m - n :=
  match h₁, h₂ with
  | ⟨d, hd⟩, ⟨e, he⟩ => ⟨d - e, by rw [hd, he, Nat.mul_sub]⟩
theorem dvd_sub {k m n : Nat} (h₁ : k ∣ m) (h₂ : k ∣ n) : k ∣ m - n := dvd_sub' h₁ h₂
protected theorem dvd_add_right {m k : Nat} (h : k ∣ m) {n : Nat} : k ∣ m + n ↔ k ∣ n :=
  ⟨fun hs => by have := dvd_sub hs h; rwa [Nat.add_sub_cancel_left] at this, Nat.dvd_add h⟩
theorem le_of_dvd {m n : Nat} (h : 0 < n) (d : m ∣ n) : m ≤ n :=
  match d with
  | ⟨c, e⟩ => by
    rw [e] at h ⊢
    exact Nat.le_mul_of_pos_right m (Nat.pos_of_mul_pos' h).2
protected theorem dvd_antisymm {m n : Nat} (h : m ∣ n) (k : n ∣ m) : m = n := by
  cases Nat.eq_zero_or_pos m with
  | inl e => rw [e] at h ⊢; exact (Nat.eq_zero_of_zero_dvd h).symm
  | inr hm =>
    cases Nat.eq_zero_or_pos n with
    | inl e => rw [e] at k ⊢; exact Nat.eq_zero_of_zero_dvd k
    | inr hn => exact Nat.le_antisymm (le_of_dvd hn h) (le_of_dvd hm k)
theorem eq_one_of_dvd_one {n : Nat} (h : n ∣ 1) : n = 1 := Nat.dvd_antisymm h (one_dvd n)
theorem mod_eq_zero_of_dvd {k n : Nat} (h : k ∣ n) : n % k = 0 := match h with | ⟨c, e⟩ => by rw [e, mul_mod_right]
theorem dvd_of_mod_eq_zero {k n : Nat} (h : n % k = 0) : k ∣ n := ⟨n / k, by have := div_add_mod n k; rw [h] at this; exact this.symm⟩
theorem dvd_iff_mod_eq_zero {k n : Nat} : k ∣ n ↔ n % k = 0 := ⟨mod_eq_zero_of_dvd, dvd_of_mod_eq_zero⟩
theorem emod_pos_of_not_dvd {a b : Nat} (h : ¬a ∣ b) : 0 < b % a := Nat.pos_of_ne_zero fun e => h (dvd_of_mod_eq_zero e)
instance decidable_dvd : DecidableRel (α := Nat) (· ∣ ·) := fun _ _ => decidable_of_decidable_of_iff dvd_iff_mod_eq_zero.symm
protected theorem mul_div_cancel' {n m : Nat} (h : n ∣ m) : n * (m / n) = m := by
  have := div_add_mod m n
  rwa [mod_eq_zero_of_dvd h] at this
protected theorem div_mul_cancel {n m : Nat} (h : n ∣ m) : m / n * n = m := by rw [Nat.mul_comm, Nat.mul_div_cancel' h]

/-! ### Greatest common divisor -/

def gcdBounded : (bound m n : Nat) → Nat
  | 0, _, n => n
  | b + 1, m, n => if m = 0 then n else gcdBounded b (n % m) m
@[extern "lean_nat_gcd"] def gcd (m n : @& Nat) : Nat := gcdBounded m m n
theorem gcdBounded_eq : ∀ b c m n : Nat, m ≤ b → m ≤ c → gcdBounded b m n = gcdBounded c m n := by
  intro b
  induction b with
  | zero =>
    intro c m n hb _
    cases c with
    | zero => rfl
    | succ c => rw [Nat.eq_zero_of_le_zero hb]; exact (ite_eq_left rfl).symm
  | succ b ih =>
    intro c m n hb hc
    cases c with
    | zero => rw [Nat.eq_zero_of_le_zero hc]; exact ite_eq_left rfl
    | succ c =>
      show (if m = 0 then n else gcdBounded b (n % m) m) = if m = 0 then n else gcdBounded c (n % m) m
      by_cases h : m = 0
      · rw [ite_eq_left h, ite_eq_left h]
      · have lt := mod_lt n (Nat.pos_of_ne_zero h)
        rw [ite_eq_right h, ite_eq_right h, ih c (n % m) m (Nat.le_of_lt_succ (Nat.lt_of_lt_of_le lt hb))
          (Nat.le_of_lt_succ (Nat.lt_of_lt_of_le lt hc))]
@[simp] theorem gcd_zero_left (y : Nat) : gcd 0 y = y := rfl
theorem gcd_rec (m n : Nat) : gcd m n = gcd (n % m) m := by
  cases Nat.eq_zero_or_pos m with
  | inl h => 
    rw [h, gcd_zero_left, mod_zero]
    cases n with
    | zero => rfl
    | succ n =>
      show n + 1 = if n + 1 = 0 then 0 else gcdBounded n (0 % (n + 1)) (n + 1)
      rw [ite_eq_right (Nat.succ_ne_zero n), zero_mod]
      cases n with
      | zero => rfl
      | succ n => exact (ite_eq_left rfl).symm
  | inr h =>
    have step : gcd m n = gcdBounded (m + 1) m n := gcdBounded_eq m (m + 1) m n (Nat.le_refl m) (Nat.le_succ m)
    rw [step]
    show (if m = 0 then n else gcdBounded m (n % m) m) = gcdBounded (n % m) (n % m) m
    rw [ite_eq_right (Nat.ne_of_gt h), gcdBounded_eq m (n % m) (n % m) m (Nat.le_of_lt (mod_lt n h)) (Nat.le_refl _)]
@[simp] theorem gcd_zero_right (n : Nat) : gcd n 0 = n := by rw [gcd_rec, zero_mod, gcd_zero_left]
@[simp] theorem gcd_one_left (n : Nat) : gcd 1 n = 1 := by rw [gcd_rec, mod_one, gcd_zero_left]
@[simp] theorem gcd_self (n : Nat) : gcd n n = n := by rw [gcd_rec, mod_self, gcd_zero_left]
theorem gcd_dvd (m n : Nat) : gcd m n ∣ m ∧ gcd m n ∣ n := by
  induction m using Nat.strongRecOn' generalizing n with
  | h m ih =>
    cases Nat.eq_zero_or_pos m with
    | inl h => rw [h, gcd_zero_left]; exact ⟨Nat.dvd_zero n, Nat.dvd_refl n⟩
    | inr h =>
      rw [gcd_rec]
      have ⟨h₁, h₂⟩ := ih (n % m) (mod_lt n h) m
      refine ⟨h₂, ?_⟩
      have := Nat.dvd_add (Nat.dvd_mul_right_of_dvd h₂ (n / m)) h₁
      rwa [div_add_mod] at this
theorem gcd_dvd_left (m n : Nat) : gcd m n ∣ m := (gcd_dvd m n).1
theorem gcd_dvd_right (m n : Nat) : gcd m n ∣ n := (gcd_dvd m n).2
theorem dvd_gcd {k m n : Nat} : k ∣ m → k ∣ n → k ∣ gcd m n := by
  induction m using Nat.strongRecOn' generalizing n with
  | h m ih =>
    intro hm hn
    cases Nat.eq_zero_or_pos m with
    | inl h => rw [h, gcd_zero_left]; exact hn
    | inr h =>
      rw [gcd_rec]
      refine ih (n % m) (mod_lt n h) ?_ hm
      rw [← Nat.dvd_add_right (Nat.dvd_mul_right_of_dvd hm (n / m)), div_add_mod]
      exact hn
theorem gcd_comm (m n : Nat) : gcd m n = gcd n m :=
  Nat.dvd_antisymm (dvd_gcd (gcd_dvd_right m n) (gcd_dvd_left m n)) (dvd_gcd (gcd_dvd_right n m) (gcd_dvd_left n m))
end Nat

/-! ### Characters and texts -/

theorem Fin.eq_of_val_eq {n : Nat} : ∀ {i j : Fin n}, i.val = j.val → i = j
  | ⟨_, _⟩, ⟨_, _⟩, rfl => rfl
theorem Fin.ext {n : Nat} {i j : Fin n} (h : i.val = j.val) : i = j := Fin.eq_of_val_eq h
theorem Fin.val_eq_of_eq {n : Nat} {i j : Fin n} (h : i = j) : i.val = j.val := h ▸ rfl
theorem Fin.ext_iff {n : Nat} {i j : Fin n} : i = j ↔ i.val = j.val := ⟨Fin.val_eq_of_eq, Fin.ext⟩
@[simp] theorem Fin.is_lt {n : Nat} (i : Fin n) : i.val < n := i.isLt
instance instDecidableEqFin (n : Nat) : DecidableEq (Fin n) := fun i j =>
  match decEq i.val j.val with
  | isTrue h => isTrue (Fin.ext h)
  | isFalse h => isFalse fun e => h (Fin.val_eq_of_eq e)
instance instLTFin {n : Nat} : LT (Fin n) := ⟨fun a b => a.val < b.val⟩
instance instLEFin {n : Nat} : LE (Fin n) := ⟨fun a b => a.val ≤ b.val⟩
instance Fin.instDecidableLt {n : Nat} (a b : Fin n) : Decidable (a < b) := Nat.decLt _ _
instance Fin.instDecidableLe {n : Nat} (a b : Fin n) : Decidable (a ≤ b) := Nat.decLe _ _
class NeZero {R : Type u} [Zero R] (n : R) : Prop where
  out : n ≠ 0
instance Nat.instNeZeroSucc {n : Nat} : NeZero (n + 1) := ⟨Nat.succ_ne_zero n⟩
protected def Fin.ofNat (n : Nat) [h : NeZero n] (a : Nat) : Fin n := ⟨a % n, Nat.mod_lt a (Nat.pos_of_ne_zero h.out)⟩
instance Fin.instOfNat {n : Nat} [NeZero n] {i : Nat} : OfNat (Fin n) i := ⟨Fin.ofNat n i⟩
protected def Fin.elim0 {α : Sort u} : Fin 0 → α | ⟨_, h⟩ => absurd h (Nat.not_lt_zero _)
def Fin.last (n : Nat) : Fin (n + 1) := ⟨n, Nat.lt_succ_self n⟩
def Fin.succ {n : Nat} : Fin n → Fin (n + 1) | ⟨i, h⟩ => ⟨i + 1, Nat.succ_lt_succ h⟩
def Fin.castSucc {n : Nat} : Fin n → Fin (n + 1) | ⟨i, h⟩ => ⟨i, Nat.le_step h⟩
instance Fin.instInhabited {n : Nat} : Inhabited (Fin (n + 1)) := ⟨⟨0, Nat.zero_lt_succ n⟩⟩

theorem BitVec.eq_of_toFin_eq {w : Nat} : ∀ {x y : BitVec w}, x.toFin = y.toFin → x = y | ⟨_⟩, ⟨_⟩, rfl => rfl
def BitVec.ofNat (n i : Nat) : BitVec n := ⟨⟨i % 2 ^ n, Nat.mod_lt i (Nat.two_pow_pos n)⟩⟩
@[extern "lean_uint32_of_nat"] def UInt32.ofNat (n : @& Nat) : UInt32 := ⟨BitVec.ofNat 32 n⟩
theorem UInt32.eq_of_toNat_eq : ∀ {a b : UInt32}, a.toNat = b.toNat → a = b
  | ⟨_⟩, ⟨_⟩, h => congrArg UInt32.ofBitVec (BitVec.eq_of_toFin_eq (Fin.ext h))
def Char.toNat (c : Char) : Nat := c.val.toNat
theorem Char.eq_of_toNat_eq : ∀ {a b : Char}, a.toNat = b.toNat → a = b
  | ⟨v, h⟩, ⟨w, k⟩, e => by cases (UInt32.eq_of_toNat_eq e : v = w); rfl
theorem Nat.mod_of_isValidChar {n : Nat} (h : n.isValidChar) : n % 2 ^ 32 = n := by
  refine Nat.mod_eq_of_lt (Nat.lt_of_lt_of_le (h.elim (fun h => Nat.lt_trans h ?_) And.right) ?_) <;> decide
@[extern "lean_uint32_of_nat"] def Char.ofNatAux (n : @& Nat) (h : n.isValidChar) : Char :=
  ⟨UInt32.ofNat n, by show Nat.isValidChar (n % 2 ^ 32); rw [Nat.mod_of_isValidChar h]; exact h⟩
@[noinline, match_pattern] def Char.ofNat (n : Nat) : Char :=
  if h : n.isValidChar then Char.ofNatAux n h else ⟨UInt32.ofNat 0, .inl (by decide)⟩
instance instDecidableEqChar : DecidableEq Char := fun a b =>
  match decEq a.toNat b.toNat with
  | isTrue h => isTrue (Char.eq_of_toNat_eq h)
  | isFalse h => isFalse fun e => h (e ▸ rfl)
instance instInhabitedChar : Inhabited Char := ⟨Char.ofNat 65⟩
theorem String.ext' : ∀ {a b : String}, a.toList = b.toList → a = b | ⟨_⟩, ⟨_⟩, rfl => rfl
@[extern "lean_string_dec_eq"] protected def String.decEq (a b : @& String) : Decidable (a = b) :=
  match decEq a.toList b.toList with
  | isTrue h => isTrue (String.ext' h)
  | isFalse h => isFalse fun e => h (e ▸ rfl)
instance instDecidableEqString : DecidableEq String := String.decEq
@[extern "lean_string_append"] def String.append : String → (@& String) → String | ⟨a⟩, ⟨b⟩ => ⟨a ++ b⟩
instance instAppendString : Append String := ⟨String.append⟩
@[extern "lean_string_length"] def String.length : (@& String) → Nat | ⟨s⟩ => s.length
instance instInhabitedString : Inhabited String := ⟨""⟩
