/-
Init.WF: sizes, well-founded recursion and what decides bounded quantifiers.
-/
prelude
import Init.List
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w

/-! ### Sizes -/

class SizeOf (α : Sort u) where
  sizeOf : α → Nat
export SizeOf (sizeOf)
protected def default.sizeOf (α : Sort u) : α → Nat | _ => 0
instance (priority := low) instSizeOfDefault (α : Sort u) : SizeOf α := ⟨default.sizeOf α⟩
@[simp] theorem sizeOf_default {α : Sort u} (n : α) : sizeOf n = 0 := rfl
instance instSizeOfNat : SizeOf Nat := ⟨fun n => n⟩
@[simp] theorem sizeOf_nat (n : Nat) : sizeOf n = n := rfl
instance instSizeOfForallUnit {α : Type u} [SizeOf α] : SizeOf (Unit → α) := ⟨fun f => sizeOf (f ())⟩
@[simp] theorem sizeOf_thunk {α : Type u} [SizeOf α] (f : Unit → α) : sizeOf f = sizeOf (f ()) := rfl
deriving instance SizeOf for PUnit
deriving instance SizeOf for Bool
deriving instance SizeOf for Option
deriving instance SizeOf for List
deriving instance SizeOf for Prod
deriving instance SizeOf for PProd
deriving instance SizeOf for MProd
deriving instance SizeOf for And
deriving instance SizeOf for Sum
deriving instance SizeOf for PSum
deriving instance SizeOf for Sigma
deriving instance SizeOf for PSigma
deriving instance SizeOf for Subtype
deriving instance SizeOf for Fin
deriving instance SizeOf for Array
deriving instance SizeOf for PLift
deriving instance SizeOf for ULift
deriving instance SizeOf for Decidable
theorem List.sizeOf_lt_of_mem {α : Type u} [SizeOf α] {a : α} {as : List α} (h : a ∈ as) : sizeOf a < sizeOf as := by
  induction h with
  | head => exact Nat.lt_of_lt_of_le (Nat.lt_add_of_pos_left Nat.zero_lt_one) (Nat.le_add_right _ _)
  | tail b _ ih => exact Nat.lt_of_lt_of_le ih (Nat.le_add_left _ _)

/-! ### Well-founded relations -/

inductive Acc {α : Sort u} (r : α → α → Prop) : α → Prop where
  | intro (x : α) (h : (y : α) → r y x → Acc r y) : Acc r x
theorem Acc.inv {α : Sort u} {r : α → α → Prop} {x y : α} (h₁ : Acc r x) (h₂ : r y x) : Acc r y := h₁.recOn (fun _ f _ h₂ => f y h₂) h₂
noncomputable abbrev Acc.ndrec.{u1, u2} {α : Sort u2} {r : α → α → Prop} {C : α → Sort u1}
    (m : (x : α) → ((y : α) → r y x → Acc r y) → ((y : α) → r y x → C y) → C x) {a : α} (n : Acc r a) : C a := n.rec m
noncomputable abbrev Acc.ndrecOn.{u1, u2} {α : Sort u2} {r : α → α → Prop} {C : α → Sort u1} {a : α} (n : Acc r a)
    (m : (x : α) → ((y : α) → r y x → Acc r y) → ((y : α) → r y x → C y) → C x) : C a := n.rec m

inductive WellFounded {α : Sort u} (r : α → α → Prop) : Prop where
  | intro (h : ∀ a, Acc r a) : WellFounded r
class WellFoundedRelation (α : Sort u) where
  rel : α → α → Prop
  wf : WellFounded rel

namespace WellFounded
variable {α : Sort u} {C : α → Sort v} {r : α → α → Prop}
theorem apply (wf : WellFounded r) (a : α) : Acc r a := wf.recOn (fun p => p) a
theorem induction {C : α → Prop} (hwf : WellFounded r) (a : α) (h : ∀ x, (∀ y, r y x → C y) → C x) : C a :=
  (hwf.apply a).rec (fun x _ ih => h x ih)
noncomputable def fixF (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) (a : Acc r x) : C x :=
  a.rec (fun x _ ih => F x ih)
theorem fixF_eq (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) (acx : Acc r x) :
    fixF F x acx = F x (fun y p => fixF F y (Acc.inv acx p)) := by
  induction acx with
  | intro x _ _ => rfl
@[irreducible] noncomputable def fix (hwf : WellFounded r) (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) : C x :=
  fixF F x (hwf.apply x)
theorem fix_eq (hwf : WellFounded r) (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) :
    fix hwf F x = F x (fun y _ => fix hwf F y) := by
  unfold fix
  exact fixF_eq F x (hwf.apply x)
end WellFounded

def emptyRelation {α : Sort u} : α → α → Prop := fun _ _ => False
def emptyWf {α : Sort u} : WellFoundedRelation α := ⟨emptyRelation, ⟨fun a => ⟨a, fun _ h => h.elim⟩⟩⟩
@[reducible] def InvImage {α : Sort u} {β : Sort v} (r : β → β → Prop) (f : α → β) : α → α → Prop := fun a₁ a₂ => r (f a₁) (f a₂)
theorem InvImage.wf {α : Sort u} {β : Sort v} {r : β → β → Prop} (f : α → β) (h : WellFounded r) : WellFounded (InvImage r f) := by
  refine ⟨fun a => ?_⟩
  have key : ∀ b, Acc r b → ∀ x, f x = b → Acc (InvImage r f) x := by
    intro b hb
    induction hb with
    | intro b _ ih => intro x e; exact ⟨x, fun y hy => ih (f y) (e ▸ hy) y rfl⟩
  exact key (f a) (h.apply (f a)) a rfl
@[reducible] def invImage {α : Sort u} {β : Sort v} (f : α → β) (h : WellFoundedRelation β) : WellFoundedRelation α where
  rel := InvImage h.rel f
  wf := InvImage.wf f h.wf
theorem Subrelation.wf {α : Sort u} {r q : α → α → Prop} (h₁ : ∀ {a b}, q a b → r a b) (h₂ : WellFounded r) : WellFounded q :=
  ⟨fun a => by
    induction h₂.apply a with
    | intro x _ ih => exact ⟨x, fun y h => ih y (h₁ h)⟩⟩

namespace Nat
theorem acc_lt (n : Nat) : Acc (· < · : Nat → Nat → Prop) n := by
  have key : ∀ n m : Nat, m < n → Acc (· < · : Nat → Nat → Prop) m := by
    intro n
    induction n with
    | zero => intro m h; exact absurd h (Nat.not_lt_zero m)
    | succ n ih => intro m h; exact ⟨m, fun k hk => ih k (Nat.lt_of_lt_of_le hk (Nat.le_of_lt_succ h))⟩
  exact key (n + 1) n (Nat.lt_succ_self n)
@[reducible] def lt_wfRel : WellFoundedRelation Nat := ⟨(· < ·), ⟨acc_lt⟩⟩
theorem lt_wf : WellFounded (· < · : Nat → Nat → Prop) := ⟨acc_lt⟩
@[elab_as_elim] protected noncomputable def strongRecOn {motive : Nat → Sort u} (n : Nat) (ind : ∀ n, (∀ m, m < n → motive m) → motive n) : motive n :=
  lt_wf.fix ind n
@[elab_as_elim] protected noncomputable def strongRec {motive : Nat → Sort u} (ind : ∀ n, (∀ m, m < n → motive m) → motive n) (n : Nat) : motive n :=
  lt_wf.fix ind n
@[elab_as_elim] protected noncomputable def caseStrongRecOn {motive : Nat → Sort u} (a : Nat) (zero : motive 0)
    (ind : ∀ n, (∀ m, m ≤ n → motive m) → motive (succ n)) : motive a :=
  Nat.strongRecOn a fun n => match n with
    | 0 => fun _ => zero
    | n + 1 => fun h => ind n fun m hm => h m (Nat.lt_succ_of_le hm)
end Nat
namespace WellFounded.Nat
@[irreducible] noncomputable def fix {α : Sort u} {motive : α → Sort v} (h : α → _root_.Nat)
    (F : (x : α) → ((y : α) → InvImage (· < ·) h y x → motive y) → motive x) (x : α) : motive x :=
  WellFounded.fix (InvImage.wf h _root_.Nat.lt_wf) F x
theorem fix_eq {α : Sort u} {motive : α → Sort v} (h : α → _root_.Nat)
    (F : (x : α) → ((y : α) → InvImage (· < ·) h y x → motive y) → motive x) (x : α) :
    fix h F x = F x (fun y _ => fix h F y) := by
  unfold fix
  exact WellFounded.fix_eq (InvImage.wf h _root_.Nat.lt_wf) F x
end WellFounded.Nat
abbrev measure {α : Sort u} (f : α → Nat) : WellFoundedRelation α := invImage f Nat.lt_wfRel
abbrev sizeOfWFRel {α : Sort u} [SizeOf α] : WellFoundedRelation α := measure sizeOf
instance (priority := low) instWellFoundedRelationOfSizeOf {α : Sort u} [SizeOf α] : WellFoundedRelation α := sizeOfWFRel

namespace Prod
protected inductive Lex {α : Type u} {β : Type v} (ra : α → α → Prop) (rb : β → β → Prop) : α × β → α × β → Prop where
  | left {a₁} (b₁) {a₂} (b₂) (h : ra a₁ a₂) : Prod.Lex ra rb (a₁, b₁) (a₂, b₂)
  | right (a) {b₁ b₂} (h : rb b₁ b₂) : Prod.Lex ra rb (a, b₁) (a, b₂)
theorem lex_def {α : Type u} {β : Type v} {r : α → α → Prop} {s : β → β → Prop} {p q : α × β} :
    Prod.Lex r s p q ↔ r p.1 q.1 ∨ p.1 = q.1 ∧ s p.2 q.2 :=
  ⟨fun h => match h with
    | .left _ _ h => .inl h
    | .right _ h => .inr ⟨rfl, h⟩,
   fun h => match p, q, h with
    | (a, b), (c, d), .inl h => .left b d h
    | (a, b), (_, d), .inr ⟨rfl, h⟩ => .right a h⟩
theorem Lex.right' {β : Type v} {rb : β → β → Prop} {a₂ : Nat} {b₂ : β} {a₁ : Nat} {b₁ : β} (h₁ : a₁ ≤ a₂) (h₂ : rb b₁ b₂) :
    Prod.Lex Nat.lt rb (a₁, b₁) (a₂, b₂) :=
  match Nat.eq_or_lt_of_le h₁ with
  | .inl h => h ▸ .right a₁ h₂
  | .inr h => .left b₁ b₂ h
theorem lexAcc {α : Type u} {β : Type v} {ra : α → α → Prop} {rb : β → β → Prop} (ha : WellFounded ra) (hb : WellFounded rb) (p : α × β) :
    Acc (Prod.Lex ra rb) p := by
  have key : ∀ a, ∀ b, Acc (Prod.Lex ra rb) (a, b) := by
    intro a
    induction ha.apply a with
    | intro a _ iha =>
      intro b
      induction hb.apply b with
      | intro b _ ihb =>
        refine ⟨(a, b), fun q h => ?_⟩
        match q, h with
        | (x, y), .left _ _ h => exact iha x h y
        | (_, y), .right _ h => exact ihb y h
  exact key p.1 p.2
@[reducible] def lex {α : Type u} {β : Type v} (ha : WellFoundedRelation α) (hb : WellFoundedRelation β) : WellFoundedRelation (α × β) :=
  ⟨Prod.Lex ha.rel hb.rel, ⟨lexAcc ha.wf hb.wf⟩⟩
instance {α : Type u} {β : Type v} [ha : WellFoundedRelation α] [hb : WellFoundedRelation β] : WellFoundedRelation (α × β) := lex ha hb
end Prod

namespace PSigma
inductive Lex {α : Sort u} {β : α → Sort v} (r : α → α → Prop) (s : ∀ a, β a → β a → Prop) : PSigma β → PSigma β → Prop where
  | left : ∀ {a₁ : α} (b₁ : β a₁) {a₂ : α} (b₂ : β a₂), r a₁ a₂ → Lex r s ⟨a₁, b₁⟩ ⟨a₂, b₂⟩
  | right : ∀ (a : α) {b₁ b₂ : β a}, s a b₁ b₂ → Lex r s ⟨a, b₁⟩ ⟨a, b₂⟩
end PSigma

opaque Lean.opaqueId {α : Sort u} (x : α) : α := x
@[irreducible] def wfParam {α : Sort u} (a : α) : α := a
theorem ite_eq_dite {α : Sort u} (P : Prop) {inst : Decidable P} (a b : α) : ite P a b = dite P (fun _ => a) (fun _ => b) := by
  cases inst <;> rfl
theorem dite_eq_ite {P : Prop} {α : Sort u} {a b : α} [inst : Decidable P] : (dite P (fun _ => a) fun _ => b) = ite P a b := by
  cases inst <;> rfl
attribute [simp] dite_eq_ite
@[reducible] def binderNameHint {α : Sort u} {β : Sort v} {γ : Sort w} (v : α) (binder : β) (e : γ) : γ := e
theorem Lean.of_decide_eq_true' {p : Prop} [Decidable p] (h : decide p = true) : p := of_decide_eq_true h
theorem sizeOf_nat_lt' {n m : Nat} (h : n < m) : sizeOf n < sizeOf m := h

/-! ### Bounded quantifiers -/

namespace Nat
theorem forall_lt_succ {n : Nat} {p : Nat → Prop} : (∀ m, m < n + 1 → p m) ↔ (∀ m, m < n → p m) ∧ p n :=
  ⟨fun h => ⟨fun m hm => h m (Nat.le_step hm), h n (Nat.lt_succ_self n)⟩,
   fun ⟨h, hn⟩ m hm => (Nat.lt_or_eq_of_le (Nat.le_of_lt_succ hm)).elim (h m) (fun e => e ▸ hn)⟩
instance decidableBallLT : ∀ (n : Nat) (P : ∀ k, k < n → Prop) [∀ n h, Decidable (P n h)], Decidable (∀ n h, P n h)
  | 0, _, _ => isTrue fun n h => absurd h (Nat.not_lt_zero n)
  | n + 1, P, H =>
    match @decidableBallLT n (fun k h => P k (Nat.le_step h)) (fun k h => H k (Nat.le_step h)) with
    | isFalse h => isFalse fun f => h fun m hm => f m (Nat.le_step hm)
    | isTrue h =>
      match H n (Nat.lt_succ_self n) with
      | isFalse p => isFalse fun f => p (f n (Nat.lt_succ_self n))
      | isTrue p => isTrue fun m hm =>
        if e : m = n then by subst e; exact p else h m (Nat.lt_of_le_of_ne (Nat.le_of_lt_succ hm) e)
instance decidableBallLE (n : Nat) (P : ∀ k, k ≤ n → Prop) [∀ n h, Decidable (P n h)] : Decidable (∀ n h, P n h) :=
  decidable_of_iff (∀ k (h : k < n + 1), P k (Nat.le_of_lt_succ h)) ⟨fun m k h => m k (Nat.lt_succ_of_le h), fun m k _ => m k _⟩
instance decidableExistsLT {p : Nat → Prop} [h : DecidablePred p] : DecidablePred fun n => ∃ m : Nat, m < n ∧ p m
  | 0 => isFalse fun ⟨m, h, _⟩ => Nat.not_lt_zero m h
  | n + 1 =>
    match decidableExistsLT (p := p) n with
    | isTrue e => isTrue (match e with | ⟨m, hm, hp⟩ => ⟨m, Nat.le_step hm, hp⟩)
    | isFalse e =>
      match h n with
      | isTrue hp => isTrue ⟨n, Nat.lt_succ_self n, hp⟩
      | isFalse hn => isFalse fun ⟨m, hm, hp⟩ =>
        if c : m = n then hn (c ▸ hp) else e ⟨m, Nat.lt_of_le_of_ne (Nat.le_of_lt_succ hm) c, hp⟩
instance decidableExistsLE {p : Nat → Prop} [DecidablePred p] : DecidablePred fun n => ∃ m : Nat, m ≤ n ∧ p m := fun n =>
  decidable_of_iff (∃ m, m < n + 1 ∧ p m)
    ⟨fun ⟨m, h, q⟩ => ⟨m, Nat.le_of_lt_succ h, q⟩, fun ⟨m, h, q⟩ => ⟨m, Nat.lt_succ_of_le h, q⟩⟩
end Nat
namespace List
instance decidableBAll {α : Type u} (p : α → Prop) [dp : DecidablePred p] : ∀ l : List α, Decidable (∀ x, x ∈ l → p x)
  | [] => isTrue fun _ h => (nomatch h)
  | x :: xs =>
    match dp x with
    | isFalse h => isFalse fun f => h (f x (.head xs))
    | isTrue h =>
      match decidableBAll p xs with
      | isTrue h' => isTrue fun y hy => match hy with
        | .head _ => h
        | .tail _ hy => h' y hy
      | isFalse h' => isFalse fun f => h' fun y hy => f y (.tail x hy)
instance decidableBEx {α : Type u} (p : α → Prop) [dp : DecidablePred p] : ∀ l : List α, Decidable (∃ x, x ∈ l ∧ p x)
  | [] => isFalse fun ⟨_, h, _⟩ => (nomatch h)
  | x :: xs =>
    match dp x with
    | isTrue h => isTrue ⟨x, .head xs, h⟩
    | isFalse h =>
      match decidableBEx p xs with
      | isTrue h' => isTrue (match h' with | ⟨y, hy, hp⟩ => ⟨y, .tail x hy, hp⟩)
      | isFalse h' => isFalse fun ⟨y, hy, hp⟩ => match hy with
        | .head _ => h hp
        | .tail _ hy => h' ⟨y, hy, hp⟩
end List
instance Bool.decidableForall {p : Bool → Prop} [h : DecidablePred p] : Decidable (∀ b, p b) :=
  decidable_of_iff (p false ∧ p true) ⟨fun ⟨f, t⟩ b => by cases b <;> assumption, fun h => ⟨h false, h true⟩⟩
instance Bool.decidableExists {p : Bool → Prop} [h : DecidablePred p] : Decidable (∃ b, p b) :=
  decidable_of_iff (p false ∨ p true)
    ⟨fun h => h.elim (fun h => ⟨false, h⟩) (fun h => ⟨true, h⟩), fun ⟨b, h⟩ => by cases b <;> first | exact .inl h | exact .inr h⟩
