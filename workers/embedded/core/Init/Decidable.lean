/-
Init.Decidable: decidable propositions, classical reasoning, and the simplification lemmas of the connectives.
-/
prelude
import Init.Core
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w

/-! ### Bool -/

theorem eq_false_of_ne_true : {b : Bool} → ¬(b = true) → b = false
  | true, h => absurd rfl h
  | false, _ => rfl
theorem eq_true_of_ne_false : {b : Bool} → ¬(b = false) → b = true
  | true, _ => rfl
  | false, h => absurd rfl h
theorem ne_false_of_eq_true : {b : Bool} → b = true → ¬(b = false)
  | true, _, h => Bool.noConfusion h
theorem ne_true_of_eq_false : {b : Bool} → b = false → ¬(b = true)
  | false, _, h => Bool.noConfusion h
theorem Bool.of_not_eq_true : {b : Bool} → ¬(b = true) → b = false := eq_false_of_ne_true
theorem Bool.of_not_eq_false : {b : Bool} → ¬(b = false) → b = true := eq_true_of_ne_false
theorem Bool.ne_of_true_false (h : true = false) : False := Bool.noConfusion h
@[simp] theorem Bool.false_ne_true : ¬(false = true) := fun h => Bool.noConfusion h
@[simp] theorem Bool.true_ne_false : ¬(true = false) := fun h => Bool.noConfusion h
theorem Bool.false_eq_true : (false = true) = False := eq_false fun h => Bool.noConfusion h
theorem Bool.true_eq_false : (true = false) = False := eq_false fun h => Bool.noConfusion h
attribute [simp] Bool.false_eq_true Bool.true_eq_false

/-! ### Decidable -/

theorem decide_eq_true {p : Prop} : [inst : Decidable p] → p → decide p = true
  | isTrue _, _ => rfl
  | isFalse h₁, h₂ => absurd h₂ h₁
theorem decide_eq_false {p : Prop} : [inst : Decidable p] → ¬p → decide p = false
  | isTrue h₁, h₂ => absurd h₁ h₂
  | isFalse _, _ => rfl
theorem of_decide_eq_true {p : Prop} [inst : Decidable p] (h : decide p = true) : p :=
  match (generalizing := true) inst, h with
  | isTrue h₁, _ => h₁
theorem of_decide_eq_false {p : Prop} [inst : Decidable p] (h : decide p = false) : ¬p :=
  match (generalizing := true) inst, h with
  | isFalse h₁, _ => h₁
theorem eq_true_of_decide {p : Prop} [Decidable p] (h : decide p = true) : p = True := eq_true (of_decide_eq_true h)
theorem eq_false_of_decide {p : Prop} [Decidable p] (h : decide p = false) : p = False := eq_false (of_decide_eq_false h)
theorem of_decide_eq_self_eq_true {α : Sort u} [inst : DecidableEq α] (a : α) : decide (a = a) = true := decide_eq_true rfl
theorem decide_eq_true_iff {p : Prop} [Decidable p] : decide p = true ↔ p := ⟨of_decide_eq_true, decide_eq_true⟩
@[simp] theorem decide_eq_true_eq {p : Prop} [Decidable p] : (decide p = true) = p := propext decide_eq_true_iff
@[simp] theorem decide_eq_false_iff_not {p : Prop} [Decidable p] : decide p = false ↔ ¬p := ⟨of_decide_eq_false, decide_eq_false⟩
theorem Decidable.of_not_not {p : Prop} [h : Decidable p] (n : ¬¬p) : p :=
  match h with
  | isTrue hp => hp
  | isFalse hn => absurd hn n

instance instDecidableTrue : Decidable True := isTrue trivial
instance instDecidableFalse : Decidable False := isFalse not_false
section
variable {p q : Prop}
@[macro_inline] instance instDecidableAnd [dp : Decidable p] [dq : Decidable q] : Decidable (p ∧ q) :=
  match dp with
  | isTrue hp =>
    match dq with
    | isTrue hq => isTrue ⟨hp, hq⟩
    | isFalse hq => isFalse fun h => hq h.2
  | isFalse hp => isFalse fun h => hp h.1
@[macro_inline] instance instDecidableOr [dp : Decidable p] [dq : Decidable q] : Decidable (p ∨ q) :=
  match dp with
  | isTrue hp => isTrue (.inl hp)
  | isFalse hp =>
    match dq with
    | isTrue hq => isTrue (.inr hq)
    | isFalse hq => isFalse fun h => h.elim hp hq
instance instDecidableNot [dp : Decidable p] : Decidable (¬p) :=
  match dp with
  | isTrue hp => isFalse fun n => n hp
  | isFalse hp => isTrue hp
@[macro_inline] instance instDecidableForall [dp : Decidable p] [dq : Decidable q] : Decidable (p → q) :=
  match dp with
  | isTrue hp =>
    match dq with
    | isTrue hq => isTrue fun _ => hq
    | isFalse hq => isFalse fun f => hq (f hp)
  | isFalse hp => isTrue fun h => absurd h hp
instance instDecidableIff [dp : Decidable p] [dq : Decidable q] : Decidable (p ↔ q) :=
  match dp, dq with
  | isTrue hp, isTrue hq => isTrue ⟨fun _ => hq, fun _ => hp⟩
  | isTrue hp, isFalse hq => isFalse fun h => hq (h.1 hp)
  | isFalse hp, isTrue hq => isFalse fun h => hp (h.2 hq)
  | isFalse hp, isFalse hq => isTrue ⟨fun h => absurd h hp, fun h => absurd h hq⟩
end
instance instDecidableNe {α : Sort u} [DecidableEq α] (a b : α) : Decidable (a ≠ b) :=
  match decEq a b with
  | isTrue h => isFalse fun n => n h
  | isFalse h => isTrue h
@[macro_inline] def decidable_of_iff {b : Prop} (a : Prop) (h : a ↔ b) [d : Decidable a] : Decidable b :=
  match d with
  | isTrue ha => isTrue (h.1 ha)
  | isFalse na => isFalse fun hb => na (h.2 hb)
@[inline] def decidable_of_decidable_of_iff {p q : Prop} [Decidable p] (h : p ↔ q) : Decidable q := decidable_of_iff p h
@[inline] def decidable_of_decidable_of_eq {p q : Prop} [Decidable p] (h : p = q) : Decidable q := decidable_of_iff p (Iff.of_eq h)

instance Bool.decEq : DecidableEq Bool
  | false, false => isTrue rfl
  | false, true => isFalse fun h => Bool.noConfusion h
  | true, false => isFalse fun h => Bool.noConfusion h
  | true, true => isTrue rfl
instance instDecidableEqBool : DecidableEq Bool := Bool.decEq
instance instDecidableEqPUnit : DecidableEq PUnit := fun _ _ => isTrue rfl
instance instDecidableEqEmpty : DecidableEq Empty := fun a => a.elim
instance instDecidableEqProd {α : Type u} {β : Type v} [DecidableEq α] [DecidableEq β] : DecidableEq (α × β) :=
  fun (a, b) (a', b') =>
    match decEq a a' with
    | isTrue ha =>
      match decEq b b' with
      | isTrue hb => isTrue (by rw [ha, hb])
      | isFalse n => isFalse fun h => n (congrArg Prod.snd h)
    | isFalse n => isFalse fun h => n (congrArg Prod.fst h)
instance instDecidableEqSubtype {α : Type u} {p : α → Prop} [DecidableEq α] : DecidableEq {x : α // p x} :=
  fun ⟨a, h⟩ ⟨b, h'⟩ =>
    match decEq a b with
    | isTrue e => isTrue (by subst e; rfl)
    | isFalse n => isFalse fun e => n (congrArg Subtype.val e)
instance instDecidablePredComp {α : Sort u} {β : Sort v} {p : β → Prop} {f : α → β} [h : DecidablePred p] : DecidablePred (fun a => p (f a)) :=
  fun a => h (f a)
instance instDecidableEqOfBool (b : Bool) (c : Bool) : Decidable (b = c) := Bool.decEq b c

instance instBEqOfDecidableEq {α : Type u} [DecidableEq α] : BEq α := ⟨fun a b => decide (a = b)⟩
class ReflBEq (α : Type u) [BEq α] : Prop where
  rfl {a : α} : (a == a) = true
class LawfulBEq (α : Type u) [BEq α] : Prop extends ReflBEq α where
  eq_of_beq {a b : α} : (a == b) = true → a = b
export LawfulBEq (eq_of_beq)
@[simp] theorem BEq.rfl {α : Type u} [BEq α] [ReflBEq α] {a : α} : (a == a) = true := ReflBEq.rfl
theorem BEq.refl {α : Type u} [BEq α] [ReflBEq α] (a : α) : (a == a) = true := ReflBEq.rfl
@[simp] theorem beq_self_eq_true {α : Type u} [BEq α] [ReflBEq α] (a : α) : (a == a) = true := ReflBEq.rfl
instance instLawfulBEq {α : Type u} [DecidableEq α] : LawfulBEq α where
  rfl := of_decide_eq_self_eq_true _
  eq_of_beq h := of_decide_eq_true h
@[simp] theorem beq_iff_eq {α : Type u} [BEq α] [LawfulBEq α] {a b : α} : (a == b) = true ↔ a = b := ⟨eq_of_beq, fun h => h ▸ BEq.rfl⟩
theorem beq_of_eq {α : Type u} [BEq α] [ReflBEq α] {a b : α} (h : a = b) : (a == b) = true := h ▸ BEq.rfl
theorem ne_of_beq_false {α : Type u} [BEq α] [ReflBEq α] {a b : α} (h : (a == b) = false) : a ≠ b :=
  fun e => ne_true_of_eq_false h (e ▸ BEq.rfl)
theorem beq_eq_false_iff_ne {α : Type u} [BEq α] [LawfulBEq α] {a b : α} : (a == b) = false ↔ a ≠ b :=
  ⟨ne_of_beq_false, fun n => eq_false_of_ne_true fun h => n (eq_of_beq h)⟩
@[simp] theorem bne_iff_ne {α : Type u} [BEq α] [LawfulBEq α] {a b : α} : (a != b) = true ↔ a ≠ b := by
  show (!(a == b)) = true ↔ a ≠ b
  cases h : a == b
  · exact ⟨fun _ => ne_of_beq_false h, fun _ => rfl⟩
  · exact ⟨fun f => Bool.noConfusion f, fun n => absurd (eq_of_beq h) n⟩

instance instSubsingletonDecidable (p : Prop) : Subsingleton (Decidable p) := ⟨fun
  | isTrue _, isTrue _ => rfl
  | isFalse _, isFalse _ => rfl
  | isTrue h, isFalse n => absurd h n
  | isFalse n, isTrue h => absurd h n⟩

/-! ### Conditionals -/

@[simp] theorem ite_true {α : Sort u} (a b : α) : (if True then a else b) = a := rfl
@[simp] theorem ite_false {α : Sort u} (a b : α) : (if False then a else b) = b := rfl
@[simp] theorem dite_true {α : Sort u} {t : True → α} {e : ¬True → α} : dite True t e = t trivial := rfl
@[simp] theorem dite_false {α : Sort u} {t : False → α} {e : ¬False → α} : dite False t e = e not_false := rfl
theorem ite_eq_left {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t e : α} : (if c then t else e) = t :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem ite_eq_right {c : Prop} {h : Decidable c} (hn : ¬c) {α : Sort u} {t e : α} : (if c then t else e) = e :=
  match h with
  | isTrue hc => absurd hc hn
  | isFalse _ => rfl
theorem dite_eq_left {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = t hc :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem dite_eq_right {c : Prop} {h : Decidable c} (hn : ¬c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = e hn :=
  match h with
  | isTrue hc => absurd hc hn
  | isFalse _ => rfl
theorem if_pos {c : Prop} [h : Decidable c] (hc : c) {α : Sort u} {t e : α} : (if c then t else e) = t :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem if_neg {c : Prop} [h : Decidable c] (hn : ¬c) {α : Sort u} {t e : α} : (if c then t else e) = e :=
  match h with
  | isTrue hc => absurd hc hn
  | isFalse _ => rfl
theorem dif_pos {c : Prop} [h : Decidable c] (hc : c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = t hc :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem dif_neg {c : Prop} [h : Decidable c] (hn : ¬c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = e hn :=
  match h with
  | isTrue hc => absurd hc hn
  | isFalse _ => rfl
theorem dif_eq_if (c : Prop) {h : Decidable c} {α : Sort u} (t e : α) : dite c (fun _ => t) (fun _ => e) = ite c t e :=
  match h with
  | isTrue _ => rfl
  | isFalse _ => rfl
theorem ite_self {α : Sort u} {c : Prop} [d : Decidable c] (a : α) : ite c a a = a := by cases d <;> rfl
theorem ite_eq_left_iff {α : Sort u} {p : Prop} [d : Decidable p] {x y : α} : (if p then x else y) = x ↔ ¬p → y = x := by
  cases d with
  | isTrue h => exact ⟨fun _ n => absurd h n, fun _ => rfl⟩
  | isFalse h => exact ⟨fun e _ => e, fun f => f h⟩
theorem ite_eq_right_iff {α : Sort u} {p : Prop} [d : Decidable p] {x y : α} : (if p then x else y) = y ↔ p → x = y := by
  cases d with
  | isTrue h => exact ⟨fun e _ => e, fun f => f h⟩
  | isFalse h => exact ⟨fun _ n => absurd n h, fun _ => rfl⟩
attribute [simp] ite_self ite_eq_left_iff ite_eq_right_iff
theorem Decidable.em (p : Prop) [d : Decidable p] : p ∨ ¬p :=
  match d with
  | isTrue h => .inl h
  | isFalse h => .inr h
theorem Eq.mpr_not {p q : Prop} (h₁ : p = q) (h₂ : ¬q) : ¬p := h₁ ▸ h₂
theorem ite_congr {α : Sort u} {b c : Prop} {x y u v : α} {s : Decidable b} [Decidable c]
    (h₁ : b = c) (h₂ : c → x = u) (h₃ : ¬c → y = v) : ite b x y = ite c u v := by
  cases Decidable.em c with
  | inl h => rw [if_pos h, if_pos (h₁ ▸ h)]; exact h₂ h
  | inr h => rw [if_neg h, if_neg (h₁ ▸ h)]; exact h₃ h
theorem dite_congr {α : Sort u} {b c : Prop} {s : Decidable b} [Decidable c] {x : b → α} {u : c → α} {y : ¬b → α} {v : ¬c → α}
    (h₁ : b = c) (h₂ : (h : c) → x (h₁.mpr_prop h) = u h) (h₃ : (h : ¬c) → y (h₁.mpr_not h) = v h) : dite b x y = dite c u v := by
  cases Decidable.em c with
  | inl h => rw [dif_pos h, dif_pos (h₁.mpr_prop h)]; exact h₂ h
  | inr h => rw [dif_neg h, dif_neg (h₁.mpr_not h)]; exact h₃ h
theorem ite_cond_eq_true {α : Sort u} {c : Prop} {x : Decidable c} (a b : α) (h : c = True) : (if c then a else b) = a := by
  exact if_pos (of_eq_true h)
theorem ite_cond_eq_false {α : Sort u} {c : Prop} {x : Decidable c} (a b : α) (h : c = False) : (if c then a else b) = b := by
  exact if_neg (of_eq_false h)
theorem dite_cond_eq_true {α : Sort u} {c : Prop} {x : Decidable c} {t : c → α} {e : ¬c → α} (h : c = True) :
    dite c t e = t (of_eq_true h) := dif_pos _
theorem dite_cond_eq_false {α : Sort u} {c : Prop} {x : Decidable c} {t : c → α} {e : ¬c → α} (h : c = False) :
    dite c t e = e (of_eq_false h) := dif_neg _
theorem ite_eq_left_of_eq_true {α : Sort u} {c : Prop} {x : Decidable c} (a b : α) (h : c = True) : (if c then a else b) = a :=
  ite_cond_eq_true a b h
theorem ite_eq_right_of_eq_false {α : Sort u} {c : Prop} {x : Decidable c} (a b : α) (h : c = False) : (if c then a else b) = b :=
  ite_cond_eq_false a b h
theorem dite_eq_left_of_eq_true {α : Sort u} {c : Prop} {x : Decidable c} {t : c → α} {e : ¬c → α} (h : c = True) :
    dite c t e = t (of_eq_true h) := dite_cond_eq_true h
theorem dite_eq_right_of_eq_false {α : Sort u} {c : Prop} {x : Decidable c} {t : c → α} {e : ¬c → α} (h : c = False) :
    dite c t e = e (of_eq_false h) := dite_cond_eq_false h
theorem apply_ite {α : Sort u} {β : Sort v} (f : α → β) (p : Prop) [d : Decidable p] (x y : α) :
    f (ite p x y) = ite p (f x) (f y) := by cases d <;> rfl
theorem apply_dite {α : Sort u} {β : Sort v} (f : α → β) (p : Prop) [d : Decidable p] (x : p → α) (y : ¬p → α) :
    f (dite p x y) = dite p (fun h => f (x h)) (fun h => f (y h)) := by cases d <;> rfl
instance instDecidableIte {c t e : Prop} [dc : Decidable c] [dt : Decidable t] [de : Decidable e] : Decidable (if c then t else e) :=
  match dc with
  | isTrue _ => dt
  | isFalse _ => de
@[simp] theorem cond_true {α : Sort u} (a b : α) : cond true a b = a := rfl
@[simp] theorem cond_false {α : Sort u} (a b : α) : cond false a b = b := rfl
theorem Bool.cond_eq_ite {α : Sort u} (b : Bool) (t e : α) : cond b t e = if b then t else e := by cases b <;> rfl

/-! ### Classical -/

namespace Classical
noncomputable def indefiniteDescription {α : Sort u} (p : α → Prop) (h : ∃ x, p x) : {x // p x} :=
  choice (let ⟨x, px⟩ := h; ⟨⟨x, px⟩⟩)
noncomputable def choose {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : α := (indefiniteDescription p h).val
theorem choose_spec {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : p (choose h) := (indefiniteDescription p h).property

/- Diaconescu: the two predicates below are equal where `p` holds, and then so are the elements chosen from them. -/
theorem em (p : Prop) : p ∨ ¬p := by
  let U (x : Prop) : Prop := x = True ∨ p
  let V (x : Prop) : Prop := x = False ∨ p
  have exU : ∃ x, U x := ⟨True, .inl rfl⟩
  have exV : ∃ x, V x := ⟨False, .inl rfl⟩
  have differ : p ∨ choose exU ≠ choose exV := by
    cases choose_spec exU with
    | inr h => exact .inl h
    | inl hu =>
      cases choose_spec exV with
      | inr h => exact .inl h
      | inl hv => exact .inr fun e => (hu.symm.trans (e.trans hv) : True = False) ▸ trivial
  cases differ with
  | inl h => exact .inl h
  | inr n =>
    refine .inr fun hp => n ?_
    have eq : U = V := funext fun x => propext ⟨fun _ => .inr hp, fun _ => .inr hp⟩
    have same : ∀ (W : Prop → Prop) (ex : ∃ x, W x), U = W → choose exU = choose ex := by
      intro W ex e
      cases e
      rfl
    exact same V exV eq

theorem exists_true_of_nonempty {α : Sort u} : Nonempty α → ∃ _ : α, True := fun ⟨a⟩ => ⟨a, trivial⟩
noncomputable def inhabited_of_nonempty {α : Sort u} (h : Nonempty α) : Inhabited α := ⟨choice h⟩
noncomputable def ofNonempty {α : Sort u} [h : Nonempty α] : α := choice h
noncomputable scoped instance (priority := low) propDecidable (a : Prop) : Decidable a :=
  choice (match em a with
    | .inl h => ⟨isTrue h⟩
    | .inr h => ⟨isFalse h⟩)
noncomputable def typeDecidableEq (α : Sort u) : DecidableEq α := fun _ _ => propDecidable _
theorem byCases {p q : Prop} (hpq : p → q) (hnpq : ¬p → q) : q := (em p).elim hpq hnpq
theorem byContradiction {p : Prop} (h : ¬p → False) : p := (em p).elim id fun n => (h n).elim
theorem propComplete (a : Prop) : a = True ∨ a = False := (em a).imp eq_true eq_false
theorem not_not {a : Prop} : ¬¬a ↔ a := ⟨fun h => byContradiction h, fun h n => n h⟩
theorem not_forall {α : Sort u} {p : α → Prop} : (¬∀ x, p x) ↔ ∃ x, ¬p x :=
  ⟨fun h => byContradiction fun n => h fun x => byContradiction fun hx => n ⟨x, hx⟩, fun ⟨x, hx⟩ f => hx (f x)⟩
theorem not_forall_not {α : Sort u} {p : α → Prop} : (¬∀ x, ¬p x) ↔ ∃ x, p x :=
  ⟨fun h => byContradiction fun n => h fun x hx => n ⟨x, hx⟩, fun ⟨x, hx⟩ f => f x hx⟩
theorem not_exists_not {α : Sort u} {p : α → Prop} : (¬∃ x, ¬p x) ↔ ∀ x, p x :=
  ⟨fun h x => byContradiction fun n => h ⟨x, n⟩, fun f ⟨x, n⟩ => n (f x)⟩
theorem not_and_iff_or_not_not {a b : Prop} : ¬(a ∧ b) ↔ ¬a ∨ ¬b :=
  ⟨fun h => (em a).elim (fun ha => .inr fun hb => h ⟨ha, hb⟩) .inl, fun h ⟨ha, hb⟩ => h.elim (fun n => n ha) (fun n => n hb)⟩
theorem not_and_iff_not_or_not {a b : Prop} : ¬(a ∧ b) ↔ ¬a ∨ ¬b := not_and_iff_or_not_not
theorem not_imp {a b : Prop} : ¬(a → b) ↔ a ∧ ¬b :=
  ⟨fun h => ⟨byContradiction fun n => h fun ha => absurd ha n, fun hb => h fun _ => hb⟩, fun ⟨ha, n⟩ f => n (f ha)⟩
theorem not_imp_iff_and_not {a b : Prop} : ¬(a → b) ↔ a ∧ ¬b := not_imp
theorem imp_iff_not_or {a b : Prop} : (a → b) ↔ ¬a ∨ b :=
  ⟨fun h => (em a).elim (fun ha => .inr (h ha)) .inl, fun h ha => h.elim (fun n => absurd ha n) id⟩
theorem or_iff_not_imp_left {a b : Prop} : a ∨ b ↔ (¬a → b) :=
  ⟨fun h n => h.resolve_left n, fun f => (em a).elim .inl fun n => .inr (f n)⟩
theorem or_iff_not_imp_right {a b : Prop} : a ∨ b ↔ (¬b → a) := or_comm.trans or_iff_not_imp_left
theorem not_imp_not {a b : Prop} : (¬a → ¬b) ↔ (b → a) := ⟨fun h hb => byContradiction fun n => h n hb, mt⟩
theorem not_iff {a b : Prop} : ¬(a ↔ b) ↔ (¬a ↔ b) :=
  ⟨fun h => ⟨fun n => byContradiction fun m => h ⟨fun x => absurd x n, fun y => absurd y m⟩, fun y x => h ⟨fun _ => y, fun _ => x⟩⟩,
   fun h k => iff_not_self (k.trans h.symm)⟩
theorem peirce {a b : Prop} (h : (a → b) → a) : a := byContradiction fun n => n (h fun x => absurd x n)
theorem skolem {α : Sort u} {b : α → Sort v} {p : ∀ x, b x → Prop} : (∀ x, ∃ y, p x y) ↔ ∃ f : ∀ x, b x, ∀ x, p x (f x) :=
  ⟨fun h => ⟨fun x => choose (h x), fun x => choose_spec (h x)⟩, fun ⟨f, h⟩ x => ⟨f x, h x⟩⟩
theorem axiomOfChoice {α : Sort u} {β : α → Sort v} {r : ∀ x, β x → Prop} (h : ∀ x, ∃ y, r x y) : ∃ f : ∀ x, β x, ∀ x, r x (f x) :=
  skolem.1 h
theorem some_spec {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : p (choose h) := choose_spec h
end Classical
export Classical (imp_iff_not_or)
theorem Classical.by_contradiction {p : Prop} (h : ¬p → False) : p := Classical.byContradiction h

namespace Decidable
theorem byContradiction {p : Prop} [Decidable p] (h : ¬p → False) : p := of_not_not h
@[macro_inline] def byCases {p : Prop} {q : Sort u} [d : Decidable p] (h₁ : p → q) (h₂ : ¬p → q) : q :=
  match d with
  | isTrue h => h₁ h
  | isFalse h => h₂ h
theorem not_not {p : Prop} [Decidable p] : ¬¬p ↔ p := ⟨of_not_not, not_not_intro⟩
theorem not_and_iff_or_not_not {p q : Prop} [d : Decidable p] : ¬(p ∧ q) ↔ ¬p ∨ ¬q := Classical.not_and_iff_or_not_not
theorem not_imp_not {a b : Prop} [Decidable a] : (¬a → ¬b) ↔ (b → a) := ⟨fun h hb => byContradiction fun n => h n hb, mt⟩
theorem or_iff_not_imp_left {a b : Prop} [Decidable a] : a ∨ b ↔ (¬a → b) :=
  ⟨fun h n => h.resolve_left n, fun f => (em a).elim .inl fun n => .inr (f n)⟩
theorem not_forall_not {α : Sort u} {p : α → Prop} [Decidable (∃ x, p x)] : (¬∀ x, ¬p x) ↔ ∃ x, p x := Classical.not_forall_not
theorem imp_iff_not_or {a b : Prop} [Decidable a] : (a → b) ↔ ¬a ∨ b := Classical.imp_iff_not_or
end Decidable
theorem by_contradiction {p : Prop} (h : ¬p → False) : p := Classical.byContradiction h
theorem not_forall {α : Sort u} {p : α → Prop} : (¬∀ x, p x) ↔ ∃ x, ¬p x := Classical.not_forall

/-! ### Simplification of the connectives -/

section
variable {p q r a b c : Prop}
@[simp] theorem ne_eq {α : Sort u} (a b : α) : (a ≠ b) = ¬(a = b) := rfl
@[simp] theorem not_true_eq_false : (¬True) = False := eq_false fun h => h trivial
@[simp] theorem not_false_eq_true : (¬False) = True := eq_true id
@[simp] theorem and_true (p : Prop) : (p ∧ True) = p := propext ⟨And.left, fun h => ⟨h, trivial⟩⟩
@[simp] theorem true_and (p : Prop) : (True ∧ p) = p := propext ⟨And.right, fun h => ⟨trivial, h⟩⟩
@[simp] theorem and_false (p : Prop) : (p ∧ False) = False := eq_false And.right
@[simp] theorem false_and (p : Prop) : (False ∧ p) = False := eq_false And.left
@[simp] theorem and_self (p : Prop) : (p ∧ p) = p := propext ⟨And.left, fun h => ⟨h, h⟩⟩
@[simp] theorem or_true (p : Prop) : (p ∨ True) = True := eq_true (.inr trivial)
@[simp] theorem true_or (p : Prop) : (True ∨ p) = True := eq_true (.inl trivial)
@[simp] theorem or_false (p : Prop) : (p ∨ False) = p := propext ⟨fun h => h.elim id False.elim, .inl⟩
@[simp] theorem false_or (p : Prop) : (False ∨ p) = p := propext ⟨fun h => h.elim False.elim id, .inr⟩
@[simp] theorem or_self (p : Prop) : (p ∨ p) = p := propext ⟨fun h => h.elim id id, .inl⟩
@[simp] theorem iff_true (p : Prop) : (p ↔ True) = p := propext ⟨of_iff_true, iff_true_intro⟩
@[simp] theorem true_iff (p : Prop) : (True ↔ p) = p := propext ⟨fun h => h.1 trivial, fun h => (iff_true_intro h).symm⟩
@[simp] theorem iff_false (p : Prop) : (p ↔ False) = ¬p := propext ⟨Iff.mp, iff_false_intro⟩
@[simp] theorem false_iff (p : Prop) : (False ↔ p) = ¬p := propext ⟨Iff.mpr, fun h => (iff_false_intro h).symm⟩
@[simp] theorem iff_self (p : Prop) : (p ↔ p) = True := eq_true Iff.rfl
@[simp] theorem eq_iff_iff {a b : Prop} : (a = b) ↔ (a ↔ b) := ⟨Iff.of_eq, propext⟩
@[simp] theorem eq_true_eq (p : Prop) : (p = True) = p := propext ⟨of_eq_true, eq_true⟩
@[simp] theorem eq_false_eq (p : Prop) : (p = False) = ¬p := propext ⟨of_eq_false, eq_false⟩
@[simp] theorem implies_true (α : Sort u) : (α → True) = True := eq_true fun _ => trivial
@[simp] theorem forall_const {α : Sort u} [i : Nonempty α] : (α → b) ↔ b := ⟨fun h => i.elim h, fun h _ => h⟩
@[simp] theorem true_implies (p : Prop) : (True → p) = p := propext ⟨fun h => h trivial, fun h _ => h⟩
@[simp] theorem false_implies (p : Prop) : (False → p) = True := eq_true False.elim
theorem true_imp_iff : (True → b) ↔ b := ⟨fun h => h trivial, fun h _ => h⟩
@[simp] theorem imp_false : (a → False) ↔ ¬a := Iff.rfl
@[simp] theorem imp_self : (a → a) ↔ True := iff_true_intro id
@[simp] theorem forall_false (p : False → Prop) : (∀ h : False, p h) = True := eq_true fun h => h.elim
@[simp] theorem forall_true (p : True → Prop) : (∀ h : True, p h) = p trivial := propext ⟨fun h => h trivial, fun h _ => h⟩
@[simp] theorem not_and_self_iff (a : Prop) : ¬a ∧ a ↔ False := iff_false_intro not_and_self
@[simp] theorem and_not_self_iff (a : Prop) : a ∧ ¬a ↔ False := iff_false_intro and_not_self
@[simp] theorem and_self_left : a ∧ a ∧ b ↔ a ∧ b := ⟨And.right, fun h => ⟨h.1, h⟩⟩
@[simp] theorem and_self_right : (a ∧ b) ∧ b ↔ a ∧ b := ⟨And.left, fun h => ⟨h, h.2⟩⟩
@[simp] theorem or_self_left : a ∨ a ∨ b ↔ a ∨ b := ⟨fun h => h.elim .inl id, .inr⟩
@[simp] theorem or_self_right : (a ∨ b) ∨ b ↔ a ∨ b := ⟨fun h => h.elim id .inr, .inl⟩
@[simp] theorem not_or' : ¬(p ∨ q) ↔ ¬p ∧ ¬q := not_or
@[simp] theorem Classical.not_not' : ¬¬a ↔ a := Classical.not_not
@[simp] theorem Decidable.not_not' [Decidable a] : ¬¬a ↔ a := Decidable.not_not
attribute [simp] not_and not_exists Classical.not_forall Classical.not_imp and_imp exists_imp
@[simp] theorem exists_false {α : Sort u} : ¬∃ _ : α, False := fun ⟨_, h⟩ => h
@[simp] theorem exists_prop {a b : Prop} : (∃ _ : a, b) ↔ a ∧ b := ⟨fun ⟨x, y⟩ => ⟨x, y⟩, fun ⟨x, y⟩ => ⟨x, y⟩⟩
@[simp] theorem exists_eq {α : Sort u} {a' : α} : ∃ a, a = a' := ⟨a', rfl⟩
@[simp] theorem exists_eq' {α : Sort u} {a' : α} : ∃ a, a' = a := ⟨a', rfl⟩
@[simp] theorem exists_eq_left {α : Sort u} {p : α → Prop} {a' : α} : (∃ a, a = a' ∧ p a) ↔ p a' :=
  ⟨fun ⟨_, e, h⟩ => e ▸ h, fun h => ⟨a', rfl, h⟩⟩
@[simp] theorem exists_eq_right {α : Sort u} {p : α → Prop} {a' : α} : (∃ a, p a ∧ a = a') ↔ p a' :=
  ⟨fun ⟨_, h, e⟩ => e ▸ h, fun h => ⟨a', h, rfl⟩⟩
@[simp] theorem exists_eq_left' {α : Sort u} {p : α → Prop} {a' : α} : (∃ a, a' = a ∧ p a) ↔ p a' :=
  ⟨fun ⟨_, e, h⟩ => e ▸ h, fun h => ⟨a', rfl, h⟩⟩
@[simp] theorem exists_eq_right' {α : Sort u} {p : α → Prop} {a' : α} : (∃ a, p a ∧ a' = a) ↔ p a' :=
  ⟨fun ⟨_, h, e⟩ => e ▸ h, fun h => ⟨a', h, rfl⟩⟩
@[simp] theorem forall_eq {α : Sort u} {p : α → Prop} {a' : α} : (∀ a, a = a' → p a) ↔ p a' := ⟨fun h => h a' rfl, fun h _ e => e ▸ h⟩
@[simp] theorem forall_eq' {α : Sort u} {p : α → Prop} {a' : α} : (∀ a, a' = a → p a) ↔ p a' := ⟨fun h => h a' rfl, fun h _ e => e ▸ h⟩
attribute [simp] exists_and_left exists_and_right exists_const
@[simp] theorem and_iff_left_iff_imp : ((a ∧ b) ↔ a) ↔ (a → b) := ⟨fun h x => (h.2 x).2, fun f => ⟨And.left, fun x => ⟨x, f x⟩⟩⟩
@[simp] theorem and_iff_right_iff_imp : ((a ∧ b) ↔ b) ↔ (b → a) := ⟨fun h y => (h.2 y).1, fun f => ⟨And.right, fun y => ⟨f y, y⟩⟩⟩
@[simp] theorem or_iff_left_iff_imp : (a ∨ b ↔ a) ↔ (b → a) := ⟨fun h y => h.1 (.inr y), fun f => ⟨fun h => h.elim id f, .inl⟩⟩
@[simp] theorem or_iff_right_iff_imp : (a ∨ b ↔ b) ↔ (a → b) := ⟨fun h x => h.1 (.inl x), fun f => ⟨fun h => h.elim f id, .inr⟩⟩
theorem and_iff_left (h : b) : a ∧ b ↔ a := ⟨And.left, fun x => ⟨x, h⟩⟩
theorem and_iff_right (h : a) : a ∧ b ↔ b := ⟨And.right, fun y => ⟨h, y⟩⟩
theorem or_iff_left (h : ¬b) : a ∨ b ↔ a := ⟨fun k => k.resolve_right h, .inl⟩
theorem or_iff_right (h : ¬a) : a ∨ b ↔ b := ⟨fun k => k.resolve_left h, .inr⟩
theorem and_eq_of_eq_true_left {p q : Prop} (h : p = True) : (p ∧ q) = q := by rw [h, true_and]
theorem and_congr_right_eq {a b c : Prop} (h : a → b = c) : (a ∧ b) = (a ∧ c) :=
  propext (and_congr_right fun x => Iff.of_eq (h x))
theorem eq_self_iff_true {α : Sort u} (a : α) : a = a ↔ True := iff_true_intro rfl
theorem not_not {a : Prop} : ¬¬a ↔ a := Classical.not_not
theorem not_and_or : ¬(a ∧ b) ↔ ¬a ∨ ¬b := Classical.not_and_iff_or_not_not
theorem or_iff_not_imp_left : a ∨ b ↔ (¬a → b) := Classical.or_iff_not_imp_left
theorem or_iff_not_imp_right : a ∨ b ↔ (¬b → a) := Classical.or_iff_not_imp_right
theorem not_imp : ¬(a → b) ↔ a ∧ ¬b := Classical.not_imp
theorem not_iff : ¬(a ↔ b) ↔ (¬a ↔ b) := Classical.not_iff
theorem em (p : Prop) : p ∨ ¬p := Classical.em p
end

/-! ### Bool functions -/

namespace Bool
@[simp] theorem and_true (b : Bool) : (b && true) = b := by cases b <;> rfl
@[simp] theorem and_false (b : Bool) : (b && false) = false := by cases b <;> rfl
@[simp] theorem true_and (b : Bool) : (true && b) = b := rfl
@[simp] theorem false_and (b : Bool) : (false && b) = false := rfl
@[simp] theorem or_true (b : Bool) : (b || true) = true := by cases b <;> rfl
@[simp] theorem or_false (b : Bool) : (b || false) = b := by cases b <;> rfl
@[simp] theorem true_or (b : Bool) : (true || b) = true := rfl
@[simp] theorem false_or (b : Bool) : (false || b) = b := rfl
@[simp] theorem not_true : (!true) = false := rfl
@[simp] theorem not_false : (!false) = true := rfl
@[simp] theorem not_not (b : Bool) : (!!b) = b := by cases b <;> rfl
@[simp] theorem and_self (b : Bool) : (b && b) = b := by cases b <;> rfl
@[simp] theorem or_self (b : Bool) : (b || b) = b := by cases b <;> rfl
@[simp] theorem and_not_self (b : Bool) : (b && !b) = false := by cases b <;> rfl
@[simp] theorem not_and_self (b : Bool) : (!b && b) = false := by cases b <;> rfl
@[simp] theorem or_not_self (b : Bool) : (b || !b) = true := by cases b <;> rfl
@[simp] theorem not_or_self (b : Bool) : (!b || b) = true := by cases b <;> rfl
theorem and_comm : ∀ (x y : Bool), (x && y) = (y && x) := by intro x y; cases x <;> cases y <;> rfl
theorem or_comm : ∀ (x y : Bool), (x || y) = (y || x) := by intro x y; cases x <;> cases y <;> rfl
theorem and_assoc : ∀ (x y z : Bool), (x && y && z) = (x && (y && z)) := by intro x y z; cases x <;> rfl
theorem or_assoc : ∀ (x y z : Bool), (x || y || z) = (x || (y || z)) := by intro x y z; cases x <;> rfl
theorem and_left_comm (x y z : Bool) : (x && (y && z)) = (y && (x && z)) := by cases x <;> cases y <;> rfl
theorem or_left_comm (x y z : Bool) : (x || (y || z)) = (y || (x || z)) := by cases x <;> cases y <;> rfl
theorem and_or_distrib_left (x y z : Bool) : (x && (y || z)) = ((x && y) || (x && z)) := by cases x <;> rfl
theorem and_or_distrib_right (x y z : Bool) : ((x || y) && z) = ((x && z) || (y && z)) := by cases x <;> cases y <;> cases z <;> rfl
theorem or_and_distrib_left (x y z : Bool) : (x || (y && z)) = ((x || y) && (x || z)) := by cases x <;> rfl
theorem or_and_distrib_right (x y z : Bool) : ((x && y) || z) = ((x || z) && (y || z)) := by cases x <;> cases y <;> cases z <;> rfl
theorem not_and (x y : Bool) : (!(x && y)) = (!x || !y) := by cases x <;> rfl
theorem not_or (x y : Bool) : (!(x || y)) = (!x && !y) := by cases x <;> rfl
theorem not_inj {x y : Bool} (h : (!x) = (!y)) : x = y := by
  have e := congrArg Bool.not h
  rwa [not_not, not_not] at e
theorem eq_false_or_eq_true : (b : Bool) → b = true ∨ b = false
  | true => .inl rfl
  | false => .inr rfl
@[simp] theorem and_eq_true (a b : Bool) : ((a && b) = true) = (a = true ∧ b = true) := by
  cases a <;> cases b <;> exact propext ⟨fun h => by first | exact ⟨rfl, rfl⟩ | exact Bool.noConfusion h, fun h => by first | rfl | exact Bool.noConfusion h.1 | exact Bool.noConfusion h.2⟩
@[simp] theorem or_eq_true (a b : Bool) : ((a || b) = true) = (a = true ∨ b = true) := by
  cases a
  · exact propext ⟨.inr, fun h => h.elim (fun h => Bool.noConfusion h) id⟩
  · exact propext ⟨fun _ => .inl rfl, fun _ => rfl⟩
theorem and_eq_true_iff {a b : Bool} : (a && b) = true ↔ a = true ∧ b = true := Iff.of_eq (and_eq_true a b)
theorem or_eq_true_iff {a b : Bool} : (a || b) = true ↔ a = true ∨ b = true := Iff.of_eq (or_eq_true a b)
@[simp] theorem not_eq_true' (b : Bool) : ((!b) = true) = (b = false) := by
  cases b
  · exact propext ⟨fun _ => rfl, fun _ => rfl⟩
  · exact propext ⟨fun h => Bool.noConfusion h, fun h => Bool.noConfusion h⟩
@[simp] theorem not_eq_false' (b : Bool) : ((!b) = false) = (b = true) := by
  cases b
  · exact propext ⟨fun h => Bool.noConfusion h, fun h => Bool.noConfusion h⟩
  · exact propext ⟨fun _ => rfl, fun _ => rfl⟩
@[simp] theorem not_eq_true (b : Bool) : (¬(b = true)) = (b = false) := propext ⟨eq_false_of_ne_true, ne_true_of_eq_false⟩
@[simp] theorem not_eq_false (b : Bool) : (¬(b = false)) = (b = true) := propext ⟨eq_true_of_ne_false, ne_false_of_eq_true⟩
theorem eq_iff_iff {a b : Bool} : a = b ↔ (a = true ↔ b = true) := by
  cases a <;> cases b <;> simp
def xor : Bool → Bool → Bool
  | true, b => !b
  | false, b => b
@[simp] theorem xor_self (b : Bool) : xor b b = false := by cases b <;> rfl
theorem xor_comm (a b : Bool) : xor a b = xor b a := by cases a <;> cases b <;> rfl
def toNat (b : Bool) : Nat := cond b 1 0
end Bool
export Bool (xor)
theorem Bool.and_eq_decide (p q : Bool) : (p && q) = decide (p = true ∧ q = true) := by cases p <;> cases q <;> rfl
theorem Bool.decide_eq_true (b : Bool) : decide (b = true) = b := by cases b <;> rfl
theorem Bool.decide_eq_false (b : Bool) : decide (b = false) = !b := by cases b <;> rfl
attribute [simp] Bool.decide_eq_true Bool.decide_eq_false
@[simp] theorem decide_true {h : Decidable True} : @decide True h = true := by cases h <;> first | rfl | contradiction
@[simp] theorem decide_false {h : Decidable False} : @decide False h = false := by cases h <;> first | rfl | contradiction
theorem Bool.coe_iff_coe (a b : Bool) : (a = true ↔ b = true) ↔ a = b := Bool.eq_iff_iff.symm
