/-
Init.Data: products, sums, subtypes, options, functions, and the classes of lawful operations.
-/
prelude
import Init.Nat
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w u₁ u₂ u₃

/-! ### Products, sums, subtypes -/

namespace Prod
@[simp] theorem eta {α : Type u} {β : Type v} : ∀ p : α × β, (p.1, p.2) = p := fun _ => rfl
@[ext] protected theorem ext {α : Type u} {β : Type v} : ∀ {p q : α × β}, p.1 = q.1 → p.2 = q.2 → p = q
  | (_, _), (_, _), rfl, rfl => rfl
theorem mk.inj_iff {α : Type u} {β : Type v} {a₁ a₂ : α} {b₁ b₂ : β} : (a₁, b₁) = (a₂, b₂) ↔ a₁ = a₂ ∧ b₁ = b₂ := Prod.ext_iff
@[simp] protected theorem «forall» {α : Type u} {β : Type v} {p : α × β → Prop} : (∀ x, p x) ↔ ∀ a b, p (a, b) :=
  ⟨fun h a b => h (a, b), fun h ⟨a, b⟩ => h a b⟩
@[simp] protected theorem «exists» {α : Type u} {β : Type v} {p : α × β → Prop} : (∃ x, p x) ↔ ∃ a b, p (a, b) :=
  ⟨fun ⟨⟨a, b⟩, h⟩ => ⟨a, b, h⟩, fun ⟨a, b, h⟩ => ⟨(a, b), h⟩⟩
def swap {α : Type u} {β : Type v} (p : α × β) : β × α := (p.2, p.1)
@[simp] theorem swap_swap {α : Type u} {β : Type v} (p : α × β) : p.swap.swap = p := rfl
@[simp] theorem fst_swap {α : Type u} {β : Type v} (p : α × β) : p.swap.1 = p.2 := rfl
@[simp] theorem snd_swap {α : Type u} {β : Type v} (p : α × β) : p.swap.2 = p.1 := rfl
def map {α₁ : Type u₁} {α₂ : Type u₂} {β₁ : Type v} {β₂ : Type w} (f : α₁ → α₂) (g : β₁ → β₂) : α₁ × β₁ → α₂ × β₂
  | (a, b) => (f a, g b)
@[simp] theorem map_apply {α₁ : Type u₁} {α₂ : Type u₂} {β₁ : Type v} {β₂ : Type w} (f : α₁ → α₂) (g : β₁ → β₂) (x : α₁) (y : β₁) :
    map f g (x, y) = (f x, g y) := rfl
@[simp] theorem map_fst {α₁ : Type u₁} {α₂ : Type u₂} {β₁ : Type v} {β₂ : Type w} (f : α₁ → α₂) (g : β₁ → β₂) (p : α₁ × β₁) :
    (map f g p).1 = f p.1 := rfl
@[simp] theorem map_snd {α₁ : Type u₁} {α₂ : Type u₂} {β₁ : Type v} {β₂ : Type w} (f : α₁ → α₂) (g : β₁ → β₂) (p : α₁ × β₁) :
    (map f g p).2 = g p.2 := rfl
end Prod

namespace Subtype
protected theorem eq {α : Sort u} {p : α → Prop} : ∀ {a b : {x // p x}}, a.val = b.val → a = b
  | ⟨_, _⟩, ⟨_, _⟩, rfl => rfl
protected theorem ext {α : Sort u} {p : α → Prop} {a b : {x // p x}} (h : a.val = b.val) : a = b := Subtype.eq h
theorem existsOfSubtype {α : Type u} {p : α → Prop} : {x // p x} → ∃ x, p x | ⟨a, h⟩ => ⟨a, h⟩
@[simp] theorem eta {α : Sort u} {p : α → Prop} (a : {x // p x}) (h : p a.val) : (⟨a.val, h⟩ : {x // p x}) = a := rfl
@[simp] protected theorem «forall» {α : Sort u} {p : α → Prop} {q : {x // p x} → Prop} : (∀ x, q x) ↔ ∀ a b, q ⟨a, b⟩ :=
  ⟨fun h a b => h ⟨a, b⟩, fun h ⟨a, b⟩ => h a b⟩
@[simp] protected theorem «exists» {α : Sort u} {p : α → Prop} {q : {x // p x} → Prop} : (∃ x, q x) ↔ ∃ a b, q ⟨a, b⟩ :=
  ⟨fun ⟨⟨a, b⟩, h⟩ => ⟨a, b, h⟩, fun ⟨a, b, h⟩ => ⟨⟨a, b⟩, h⟩⟩
end Subtype

namespace Sum
protected def elim {α : Type u} {β : Type v} {γ : Sort w} (f : α → γ) (g : β → γ) : α ⊕ β → γ
  | .inl a => f a
  | .inr b => g b
@[simp] theorem elim_inl {α : Type u} {β : Type v} {γ : Sort w} (f : α → γ) (g : β → γ) (a : α) : Sum.elim f g (.inl a) = f a := rfl
@[simp] theorem elim_inr {α : Type u} {β : Type v} {γ : Sort w} (f : α → γ) (g : β → γ) (b : β) : Sum.elim f g (.inr b) = g b := rfl
def swap {α : Type u} {β : Type v} : α ⊕ β → β ⊕ α
  | .inl a => .inr a
  | .inr b => .inl b
@[simp] theorem swap_swap {α : Type u} {β : Type v} (x : α ⊕ β) : x.swap.swap = x := by cases x <;> rfl
@[simp] theorem swap_inl {α : Type u} {β : Type v} (x : α) : (Sum.inl x : α ⊕ β).swap = .inr x := rfl
@[simp] theorem swap_inr {α : Type u} {β : Type v} (x : β) : (Sum.inr x : α ⊕ β).swap = .inl x := rfl
def map {α : Type u} {α' : Type w} {β : Type v} {β' : Type u₁} (f : α → α') (g : β → β') : α ⊕ β → α' ⊕ β'
  | .inl a => .inl (f a)
  | .inr b => .inr (g b)
instance {α : Type u} {β : Type v} [Inhabited α] : Inhabited (α ⊕ β) := ⟨.inl default⟩
instance {α : Type u} {β : Type v} [DecidableEq α] [DecidableEq β] : DecidableEq (α ⊕ β)
  | .inl a, .inl b => match decEq a b with
    | isTrue h => isTrue (congrArg Sum.inl h)
    | isFalse n => isFalse fun h => n (Sum.inl.inj h)
  | .inr a, .inr b => match decEq a b with
    | isTrue h => isTrue (congrArg Sum.inr h)
    | isFalse n => isFalse fun h => n (Sum.inr.inj h)
  | .inl _, .inr _ => isFalse fun h => nomatch h
  | .inr _, .inl _ => isFalse fun h => nomatch h
end Sum

/-! ### Functions -/

namespace Function
variable {α : Sort u} {β : Sort v} {φ : Sort w}
@[simp] theorem comp_apply {f : β → φ} {g : α → β} {x : α} : comp f g x = f (g x) := rfl
theorem comp_def (f : β → φ) (g : α → β) : f ∘ g = fun x => f (g x) := rfl
@[simp] theorem const_apply {y : β} {x : α} : const α y x = y := rfl
theorem const_comp {y : φ} {g : α → β} : const β y ∘ g = const α y := rfl
theorem comp_const {f : β → φ} {b : β} : f ∘ const α b = const α (f b) := rfl
theorem comp_assoc {δ : Sort u₁} (f : φ → δ) (g : β → φ) (h : α → β) : (f ∘ g) ∘ h = f ∘ g ∘ h := rfl
theorem id_comp (f : α → β) : id ∘ f = f := rfl
theorem comp_id (f : α → β) : f ∘ id = f := rfl
@[reducible] def Injective (f : α → β) : Prop := ∀ ⦃a₁ a₂⦄, f a₁ = f a₂ → a₁ = a₂
@[reducible] def Surjective (f : α → β) : Prop := ∀ b, ∃ a, f a = b
def LeftInverse (g : β → α) (f : α → β) : Prop := ∀ x, g (f x) = x
def RightInverse (g : β → α) (f : α → β) : Prop := LeftInverse f g
theorem LeftInverse.injective {g : β → α} {f : α → β} (h : LeftInverse g f) : Injective f :=
  fun a b e => (h a).symm.trans ((congrArg g e).trans (h b))
theorem Injective.comp {g : β → φ} {f : α → β} (hg : Injective g) (hf : Injective f) : Injective (g ∘ f) := fun _ _ h => hf (hg h)
theorem Surjective.comp {g : β → φ} {f : α → β} (hg : Surjective g) (hf : Surjective f) : Surjective (g ∘ f) := fun c =>
  match hg c with
  | ⟨b, hb⟩ => match hf b with
    | ⟨a, ha⟩ => ⟨a, (congrArg g ha).trans hb⟩
@[inline] def curry {α : Type u} {β : Type v} {φ : Sort w} (f : α × β → φ) : α → β → φ := fun a b => f (a, b)
@[inline] def uncurry {α : Type u} {β : Type v} {φ : Sort w} (f : α → β → φ) : α × β → φ := fun a => f a.1 a.2
@[simp] theorem curry_uncurry {α : Type u} {β : Type v} {φ : Sort w} (f : α → β → φ) : curry (uncurry f) = f := rfl
@[simp] theorem uncurry_curry {α : Type u} {β : Type v} {φ : Sort w} (f : α × β → φ) : uncurry (curry f) = f := rfl
end Function
@[simp] theorem id_def {α : Sort u} : @id α = fun a => a := rfl
@[inline] def flip {α : Sort u} {β : Sort v} {φ : Sort w} (f : α → β → φ) : β → α → φ := fun b a => f a b
theorem funext_iff {α : Sort u} {β : α → Sort v} {f g : ∀ x, β x} : f = g ↔ ∀ x, f x = g x := ⟨fun h _ => h ▸ rfl, funext⟩

attribute [ext] funext propext Subtype.eq

/-! ### Quotients and relations -/

namespace Quot
protected theorem liftBeta' {α : Sort u} {r : α → α → Prop} {β : Sort v} (f : α → β) (c : ∀ a b, r a b → f a = f b) (a : α) :
    Quot.lift f c (Quot.mk r a) = f a := rfl
@[elab_as_elim] protected theorem inductionOn {α : Sort u} {r : α → α → Prop} {motive : Quot r → Prop} (q : Quot r)
    (h : ∀ a, motive (Quot.mk r a)) : motive q := Quot.ind h q
theorem exists_rep {α : Sort u} {r : α → α → Prop} (q : Quot r) : ∃ a, Quot.mk r a = q := Quot.inductionOn q fun a => ⟨a, rfl⟩
@[reducible] protected def liftOn {α : Sort u} {β : Sort v} {r : α → α → Prop} (q : Quot r) (f : α → β) (c : ∀ a b, r a b → f a = f b) : β :=
  Quot.lift f c q
end Quot
structure Equivalence {α : Sort u} (r : α → α → Prop) : Prop where
  refl : ∀ x, r x x
  symm : ∀ {x y}, r x y → r y x
  trans : ∀ {x y z}, r x y → r y z → r x z
class Setoid (α : Sort u) where
  r : α → α → Prop
  iseqv : Equivalence r
instance instHasEquivOfSetoid {α : Sort u} [Setoid α] : HasEquiv α := ⟨Setoid.r⟩
namespace Setoid
variable {α : Sort u} [Setoid α]
theorem refl (a : α) : a ≈ a := iseqv.refl a
theorem symm {a b : α} (h : a ≈ b) : b ≈ a := iseqv.symm h
theorem trans {a b c : α} (h₁ : a ≈ b) (h₂ : b ≈ c) : a ≈ c := iseqv.trans h₁ h₂
end Setoid
def Quotient {α : Sort u} (s : Setoid α) := @Quot α Setoid.r
namespace Quotient
@[inline] protected def mk {α : Sort u} (s : Setoid α) (a : α) : Quotient s := Quot.mk Setoid.r a
protected def mk' {α : Sort u} [s : Setoid α] (a : α) : Quotient s := Quotient.mk s a
theorem sound {α : Sort u} {s : Setoid α} {a b : α} : a ≈ b → Quotient.mk s a = Quotient.mk s b := Quot.sound
@[inline] protected def lift {α : Sort u} {β : Sort v} {s : Setoid α} (f : α → β) (h : ∀ a b, a ≈ b → f a = f b) : Quotient s → β := Quot.lift f h
@[elab_as_elim] protected theorem ind {α : Sort u} {s : Setoid α} {motive : Quotient s → Prop} (h : ∀ a, motive (Quotient.mk s a)) : ∀ q, motive q := Quot.ind h
@[inline] protected def liftOn {α : Sort u} {β : Sort v} {s : Setoid α} (q : Quotient s) (f : α → β) (c : ∀ a b, a ≈ b → f a = f b) : β := Quot.lift f c q
@[elab_as_elim] protected theorem inductionOn {α : Sort u} {s : Setoid α} {motive : Quotient s → Prop} (q : Quotient s) (h : ∀ a, motive (Quotient.mk s a)) : motive q := Quot.ind h q
theorem exists_rep {α : Sort u} {s : Setoid α} (q : Quotient s) : ∃ a, Quotient.mk s a = q := Quot.exists_rep q
theorem exact {α : Sort u} {s : Setoid α} {a b : α} (h : Quotient.mk s a = Quotient.mk s b) : a ≈ b := by
  let rel (q : Quotient s) : Prop := Quotient.lift (fun x => a ≈ x)
    (fun x y e => propext ⟨fun h => Setoid.trans h e, fun h => Setoid.trans h (Setoid.symm e)⟩) q
  have : rel (Quotient.mk s b) := h ▸ (Setoid.refl a : rel (Quotient.mk s a))
  exact this
end Quotient

class Trans.{r₁, r₂, r₃, t₁, t₂, t₃} {α : Sort t₁} {β : Sort t₂} {γ : Sort t₃} (r : α → β → Sort r₁) (s : β → γ → Sort r₂)
    (t : outParam (α → γ → Sort r₃)) where
  trans {a : α} {b : β} {c : γ} : r a b → s b c → t a c
instance instTransEq {α : Sort u} {γ : Sort v} (r : α → γ → Sort w) : Trans Eq r r := ⟨fun h₁ h₂ => h₁ ▸ h₂⟩
instance instTransEq_1 {α : Sort u} {β : Sort v} (r : α → β → Sort w) : Trans r Eq r := ⟨fun h₁ h₂ => h₂ ▸ h₁⟩
instance : Trans Iff Iff Iff := ⟨Iff.trans⟩
instance : @Trans Nat Nat Nat LE.le LE.le LE.le := ⟨Nat.le_trans⟩
instance : @Trans Nat Nat Nat LT.lt LT.lt LT.lt := ⟨Nat.lt_trans⟩
instance : @Trans Nat Nat Nat LE.le LT.lt LT.lt := ⟨Nat.lt_of_le_of_lt⟩
instance : @Trans Nat Nat Nat LT.lt LE.le LT.lt := ⟨Nat.lt_of_lt_of_le⟩
instance {α : Sort u} [Setoid α] : Trans (· ≈ · : α → α → Prop) (· ≈ · : α → α → Prop) (· ≈ · : α → α → Prop) := ⟨Setoid.trans⟩
instance : @Trans Nat Nat Nat GE.ge GE.ge GE.ge := ⟨fun h k => Nat.le_trans k h⟩
instance : @Trans Nat Nat Nat GT.gt GT.gt GT.gt := ⟨fun h k => Nat.lt_trans k h⟩
instance : @Trans Nat Nat Nat GE.ge GT.gt GT.gt := ⟨fun h k => Nat.lt_of_lt_of_le k h⟩
instance : @Trans Nat Nat Nat GT.gt GE.ge GT.gt := ⟨fun h k => Nat.lt_of_le_of_lt k h⟩

instance (priority := low) Zero.toOfNat0 {α : Type u} [Zero α] : OfNat α (nat_lit 0) := ⟨Zero.zero⟩
instance (priority := low) Zero.ofOfNat0 {α : Type u} [OfNat α (nat_lit 0)] : Zero α := ⟨0⟩
instance (priority := low) One.toOfNat1 {α : Type u} [One α] : OfNat α (nat_lit 1) := ⟨One.one⟩
instance (priority := low) One.ofOfNat1 {α : Type u} [OfNat α (nat_lit 1)] : One α := ⟨1⟩

/-! ### Lawful operations (`ac_rfl`) -/

namespace Std
class Associative {α : Sort u} (op : α → α → α) : Prop where
  assoc : ∀ a b c, op (op a b) c = op a (op b c)
class Commutative {α : Sort u} (op : α → α → α) : Prop where
  comm : ∀ a b, op a b = op b a
class IdempotentOp {α : Sort u} (op : α → α → α) : Prop where
  idempotent : ∀ x, op x x = x
class LeftIdentity {α : Sort u} {β : Sort v} (op : α → β → β) (o : outParam α) : Prop
class LawfulLeftIdentity {α : Sort u} {β : Sort v} (op : α → β → β) (o : outParam α) : Prop extends LeftIdentity op o where
  left_id : ∀ a, op o a = a
class RightIdentity {α : Sort u} {β : Sort v} (op : α → β → α) (o : outParam β) : Prop
class LawfulRightIdentity {α : Sort u} {β : Sort v} (op : α → β → α) (o : outParam β) : Prop extends RightIdentity op o where
  right_id : ∀ a, op a o = a
class Identity {α : Sort u} (op : α → α → α) (o : outParam α) : Prop extends LeftIdentity op o, RightIdentity op o
class LawfulIdentity {α : Sort u} (op : α → α → α) (o : outParam α) : Prop extends Identity op o, LawfulLeftIdentity op o, LawfulRightIdentity op o
end Std
instance : Std.Associative (α := Nat) (· + ·) := ⟨Nat.add_assoc⟩
instance : Std.Commutative (α := Nat) (· + ·) := ⟨Nat.add_comm⟩
instance : Std.LawfulIdentity (α := Nat) (· + ·) 0 where
  left_id := Nat.zero_add
  right_id := Nat.add_zero
instance : Std.Associative (α := Nat) (· * ·) := ⟨Nat.mul_assoc⟩
instance : Std.Commutative (α := Nat) (· * ·) := ⟨Nat.mul_comm⟩
instance : Std.LawfulIdentity (α := Nat) (· * ·) 1 where
  left_id := Nat.one_mul
  right_id := Nat.mul_one
instance : Std.Associative And := ⟨fun _ _ _ => propext and_assoc⟩
instance : Std.Commutative And := ⟨fun _ _ => propext and_comm⟩
instance : Std.Associative Or := ⟨fun _ _ _ => propext or_assoc⟩
instance : Std.Commutative Or := ⟨fun _ _ => propext or_comm⟩

/-! ### Option -/

namespace Option
variable {α : Type u} {β : Type v} {γ : Type w}
@[macro_inline] def getD (o : Option α) (d : α) : α := match o with | some a => a | none => d
@[inline] protected def map (f : α → β) : Option α → Option β
  | some a => some (f a)
  | none => none
@[inline] protected def bind : Option α → (α → Option β) → Option β
  | some a, f => f a
  | none, _ => none
@[inline] def isSome : Option α → Bool
  | some _ => true
  | none => false
@[inline] def isNone : Option α → Bool
  | some _ => false
  | none => true
@[inline] def get : (o : Option α) → isSome o = true → α
  | some a, _ => a
@[inline] protected def filter (p : α → Bool) : Option α → Option α
  | some a => if p a then some a else none
  | none => none
@[macro_inline] protected def orElse : Option α → (Unit → Option α) → Option α
  | some a, _ => some a
  | none, f => f ()
@[macro_inline] protected def or : Option α → Option α → Option α
  | some a, _ => some a
  | none, o => o
@[simp] theorem some_inj {a b : α} : some a = some b ↔ a = b := ⟨fun h => Option.some.inj h, fun h => h ▸ rfl⟩
@[simp] theorem some_ne_none (a : α) : ¬(some a = none) := fun h => nomatch h
@[simp] theorem none_ne_some (a : α) : ¬(none = some a) := fun h => nomatch h
@[simp] theorem map_none (f : α → β) : none.map f = none := rfl
@[simp] theorem map_some (f : α → β) (a : α) : (some a).map f = some (f a) := rfl
@[simp] theorem bind_none (f : α → Option β) : none.bind f = none := rfl
@[simp] theorem bind_some (a : α) (f : α → Option β) : (some a).bind f = f a := rfl
@[simp] theorem getD_none (d : α) : (none : Option α).getD d = d := rfl
@[simp] theorem getD_some (a d : α) : (some a).getD d = a := rfl
@[simp] theorem isSome_some (a : α) : (some a).isSome = true := rfl
@[simp] theorem isSome_none : (none : Option α).isSome = false := rfl
@[simp] theorem isNone_some (a : α) : (some a).isNone = false := rfl
@[simp] theorem isNone_none : (none : Option α).isNone = true := rfl
@[simp] theorem get_some (a : α) (h : (some a).isSome = true) : (some a).get h = a := rfl
@[simp] theorem map_id' (o : Option α) : o.map (fun a => a) = o := by cases o <;> rfl
theorem map_id : (Option.map id : Option α → Option α) = id := funext fun o => by cases o <;> rfl
@[simp] theorem map_map (h : β → γ) (g : α → β) (o : Option α) : (o.map g).map h = o.map (h ∘ g) := by cases o <;> rfl
theorem bind_assoc (o : Option α) (f : α → Option β) (g : β → Option γ) : (o.bind f).bind g = o.bind fun a => (f a).bind g := by
  cases o <;> rfl
@[simp] theorem bind_some_fun (o : Option α) : o.bind some = o := by cases o <;> rfl
theorem eq_none_of_isNone : ∀ {o : Option α}, o.isNone = true → o = none
  | none, _ => rfl
theorem isSome_iff_exists {o : Option α} : o.isSome = true ↔ ∃ a, o = some a := by
  cases o with
  | none => exact ⟨nofun, nofun⟩
  | some a => exact ⟨fun _ => ⟨a, rfl⟩, fun _ => rfl⟩
theorem ne_none_iff_exists {o : Option α} : o ≠ none ↔ ∃ a, some a = o := by
  cases o with
  | none => exact ⟨fun h => absurd rfl h, fun ⟨_, h⟩ => nomatch h⟩
  | some a => exact ⟨fun _ => ⟨a, rfl⟩, fun _ h => nomatch h⟩
@[ext] theorem ext : ∀ {o₁ o₂ : Option α}, (∀ a, o₁ = some a ↔ o₂ = some a) → o₁ = o₂
  | none, none, _ => rfl
  | some a, o, h => ((h a).1 rfl).symm
  | none, some b, h => (h b).2 rfl
instance instDecidableEqOption [DecidableEq α] : DecidableEq (Option α)
  | none, none => isTrue rfl
  | some a, some b => match decEq a b with
    | isTrue h => isTrue (congrArg some h)
    | isFalse n => isFalse fun h => n (Option.some.inj h)
  | none, some _ => isFalse fun h => nomatch h
  | some _, none => isFalse fun h => nomatch h
end Option
