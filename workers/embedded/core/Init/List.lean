/-
Init.List: lists. Append, length, map, filter, folds, reverse, membership, take and drop, and the usual rewriting lemmas.
-/
prelude
import Init.Data
set_option linter.all false
set_option warn.classDefReducibility false
universe u v w

namespace List
variable {α : Type u} {β : Type v} {γ : Type w}

def length : List α → Nat
  | nil => 0
  | cons _ as => as.length + 1
@[simp] theorem length_nil : length ([] : List α) = 0 := rfl
@[simp] theorem length_cons {a : α} {as : List α} : (a :: as).length = as.length + 1 := rfl
@[simp] theorem length_singleton {a : α} : length [a] = 1 := rfl

protected def append : List α → List α → List α
  | nil, bs => bs
  | cons a as, bs => cons a (as.append bs)
instance instAppendList : Append (List α) := ⟨List.append⟩
@[simp] theorem append_eq {as bs : List α} : List.append as bs = as ++ bs := rfl
@[simp] theorem nil_append (as : List α) : [] ++ as = as := rfl
@[simp] theorem cons_append {a : α} {as bs : List α} : (a :: as) ++ bs = a :: (as ++ bs) := rfl
@[simp] theorem append_nil (as : List α) : as ++ [] = as := by
  induction as with
  | nil => rfl
  | cons a as ih => rw [cons_append, ih]
@[simp] theorem append_assoc (as bs cs : List α) : (as ++ bs) ++ cs = as ++ (bs ++ cs) := by
  induction as with
  | nil => rfl
  | cons a as ih => rw [cons_append, cons_append, cons_append, ih]
theorem append_cons (as : List α) (b : α) (bs : List α) : as ++ b :: bs = as ++ [b] ++ bs := by rw [append_assoc]; rfl
theorem singleton_append {x : α} {l : List α} : [x] ++ l = x :: l := rfl
attribute [simp] singleton_append
@[simp] theorem length_append {as bs : List α} : (as ++ bs).length = as.length + bs.length := by
  induction as with
  | nil => exact (Nat.zero_add _).symm
  | cons a as ih => rw [cons_append, length_cons, ih, length_cons, Nat.add_right_comm]

@[simp] theorem cons_ne_nil (a : α) (l : List α) : ¬(a :: l = []) := fun h => (nomatch h)
@[simp] theorem nil_ne_cons (a : α) (l : List α) : ¬([] = a :: l) := fun h => (nomatch h)
@[simp] theorem cons_ne_self (a : α) : ∀ l : List α, ¬(a :: l = l) := fun l h => Nat.succ_ne_self l.length (congrArg length h)
theorem head_eq_of_cons_eq {h₁ h₂ : α} {t₁ t₂ : List α} (h : h₁ :: t₁ = h₂ :: t₂) : h₁ = h₂ := (List.cons.inj h).1
theorem tail_eq_of_cons_eq {h₁ h₂ : α} {t₁ t₂ : List α} (h : h₁ :: t₁ = h₂ :: t₂) : t₁ = t₂ := (List.cons.inj h).2
theorem cons_inj_right (a : α) {l l' : List α} : a :: l = a :: l' ↔ l = l' := ⟨tail_eq_of_cons_eq, fun h => h ▸ rfl⟩
theorem cons_eq_cons {a b : α} {l l' : List α} : a :: l = b :: l' ↔ a = b ∧ l = l' := ⟨fun h => List.cons.inj h, fun ⟨h, k⟩ => by rw [h, k]⟩
theorem exists_cons_of_ne_nil : ∀ {l : List α}, l ≠ [] → ∃ b L, l = b :: L
  | [], h => absurd rfl h
  | b :: L, _ => ⟨b, L, rfl⟩
theorem eq_nil_of_length_eq_zero : ∀ {l : List α}, l.length = 0 → l = []
  | [], _ => rfl
theorem ne_nil_of_length_eq_add_one : ∀ {l : List α} {n : Nat}, l.length = n + 1 → l ≠ []
  | _ :: _, _, _ => fun h => (nomatch h)
theorem ne_nil_of_length_pos : ∀ {l : List α}, 0 < l.length → l ≠ []
  | _ :: _, _ => fun h => (nomatch h)
@[simp] theorem length_eq_zero_iff {l : List α} : l.length = 0 ↔ l = [] := ⟨eq_nil_of_length_eq_zero, fun h => h ▸ rfl⟩
theorem length_pos_iff {l : List α} : 0 < l.length ↔ l ≠ [] := by
  cases l with
  | nil => exact ⟨fun h => absurd h (Nat.lt_irrefl 0), fun h => absurd rfl h⟩
  | cons a l => exact ⟨fun _ h => (nomatch h), fun _ => Nat.zero_lt_succ _⟩
theorem length_pos_of_ne_nil {l : List α} (h : l ≠ []) : 0 < l.length := length_pos_iff.2 h
@[simp] theorem append_eq_nil_iff {p q : List α} : p ++ q = [] ↔ p = [] ∧ q = [] := by
  cases p with
  | nil => exact ⟨fun h => ⟨rfl, h⟩, fun h => h.2⟩
  | cons a p => exact ⟨fun h => (nomatch h), fun h => (nomatch h.1)⟩
theorem append_inj_right' {t₁ t₂ : List α} : ∀ {s : List α}, s ++ t₁ = s ++ t₂ → t₁ = t₂
  | [], h => h
  | _ :: _, h => append_inj_right' (tail_eq_of_cons_eq h)
theorem append_cancel_left {as bs cs : List α} (h : as ++ bs = as ++ cs) : bs = cs := append_inj_right' h
@[simp] theorem append_cancel_left_eq (as bs cs : List α) : (as ++ bs = as ++ cs) = (bs = cs) :=
  propext ⟨append_cancel_left, fun h => h ▸ rfl⟩

def map (f : α → β) : List α → List β
  | [] => []
  | a :: as => f a :: map f as
@[simp] theorem map_nil {f : α → β} : map f [] = [] := rfl
@[simp] theorem map_cons {f : α → β} {a : α} {l : List α} : map f (a :: l) = f a :: map f l := rfl
theorem map_singleton {f : α → β} {a : α} : map f [a] = [f a] := rfl
@[simp] theorem length_map {as : List α} (f : α → β) : (as.map f).length = as.length := by
  induction as with
  | nil => rfl
  | cons a as ih => rw [map_cons, length_cons, ih, length_cons]
@[simp] theorem map_append {f : α → β} {l₁ l₂ : List α} : map f (l₁ ++ l₂) = map f l₁ ++ map f l₂ := by
  induction l₁ with
  | nil => rfl
  | cons a l ih => rw [cons_append, map_cons, ih, map_cons, cons_append]
@[simp] theorem map_map {g : β → γ} {f : α → β} {l : List α} : map g (map f l) = map (g ∘ f) l := by
  induction l with
  | nil => rfl
  | cons a l ih => rw [map_cons, map_cons, map_cons, ih]; rfl
@[simp] theorem map_id_fun : map (id : α → α) = id := by
  funext l
  induction l with
  | nil => rfl
  | cons a l ih => rw [map_cons, ih]; rfl
theorem map_id (l : List α) : map (id : α → α) l = l := congrFun map_id_fun l
@[simp] theorem map_id' (l : List α) : map (fun a => a) l = l := map_id l
@[simp] theorem map_id_fun' : map (fun a : α => a) = id := map_id_fun
@[simp] theorem map_eq_nil_iff {f : α → β} {l : List α} : map f l = [] ↔ l = [] := by
  cases l with
  | nil => exact ⟨fun _ => rfl, fun _ => rfl⟩
  | cons a l => exact ⟨fun h => (nomatch h), fun h => (nomatch h)⟩

def filter (p : α → Bool) : List α → List α
  | [] => []
  | a :: as => match p a with
    | true => a :: filter p as
    | false => filter p as
@[simp] theorem filter_nil {p : α → Bool} : filter p [] = [] := rfl
@[simp] theorem filter_cons_of_pos {p : α → Bool} {a : α} {l : List α} (h : p a = true) : filter p (a :: l) = a :: filter p l := by
  rw [filter, h]
@[simp] theorem filter_cons_of_neg {p : α → Bool} {a : α} {l : List α} (h : ¬(p a = true)) : filter p (a :: l) = filter p l := by
  rw [filter, eq_false_of_ne_true h]
theorem filter_cons {x : α} {xs : List α} {p : α → Bool} : (x :: xs).filter p = if p x = true then x :: xs.filter p else xs.filter p := by
  split
  · rw [filter_cons_of_pos ‹_›]
  · rw [filter_cons_of_neg ‹_›]
@[simp] theorem filter_append {p : α → Bool} (l₁ l₂ : List α) : filter p (l₁ ++ l₂) = filter p l₁ ++ filter p l₂ := by
  induction l₁ with
  | nil => rfl
  | cons a l ih =>
    rw [cons_append, filter_cons, filter_cons, ih]
    split <;> rfl
theorem length_filter_le (p : α → Bool) (l : List α) : (l.filter p).length ≤ l.length := by
  induction l with
  | nil => exact Nat.le_refl 0
  | cons a l ih =>
    rw [filter_cons]
    split
    · exact Nat.succ_le_succ ih
    · exact Nat.le_step ih
theorem filter_filter' (p : α → Bool) (l : List α) : filter p (filter p l) = filter p l := by
  induction l with
  | nil => rfl
  | cons a l ih =>
    by_cases h : p a = true
    · rw [filter_cons_of_pos h, filter_cons_of_pos h, ih]
    · rw [filter_cons_of_neg h, ih]

@[specialize] def foldl (f : α → β → α) : (init : α) → List β → α
  | a, [] => a
  | a, b :: l => foldl f (f a b) l
@[specialize] def foldr (f : α → β → β) (init : β) : List α → β
  | [] => init
  | a :: l => f a (foldr f init l)
@[simp] theorem foldl_nil {f : α → β → α} {b : α} : foldl f b [] = b := rfl
@[simp] theorem foldl_cons {f : α → β → α} {b : α} {a : β} {l : List β} : foldl f b (a :: l) = foldl f (f b a) l := rfl
@[simp] theorem foldr_nil {f : α → β → β} {b : β} : foldr f b [] = b := rfl
@[simp] theorem foldr_cons {f : α → β → β} {b : β} {a : α} {l : List α} : foldr f b (a :: l) = f a (foldr f b l) := rfl
@[simp] theorem foldl_append {f : β → α → β} {b : β} {l l' : List α} : (l ++ l').foldl f b = l'.foldl f (l.foldl f b) := by
  induction l generalizing b with
  | nil => rfl
  | cons a l ih => exact ih
@[simp] theorem foldr_append {f : α → β → β} {b : β} {l l' : List α} : (l ++ l').foldr f b = l.foldr f (l'.foldr f b) := by
  induction l with
  | nil => rfl
  | cons a l ih => rw [cons_append, foldr_cons, ih, foldr_cons]
theorem foldr_cons_nil' (l : List α) : foldr cons [] l = l := by
  induction l with
  | nil => rfl
  | cons a l ih => rw [foldr_cons, ih]
protected def sum [Add α] [Zero α] : List α → α := foldr (· + ·) Zero.zero
@[simp] theorem sum_nil' : ([] : List Nat).sum = 0 := rfl
@[simp] theorem sum_cons' {a : Nat} {l : List Nat} : (a :: l).sum = a + l.sum := rfl

def reverseAux : List α → List α → List α
  | [], r => r
  | a :: l, r => reverseAux l (a :: r)
def reverse (as : List α) : List α := reverseAux as []
theorem reverseAux_eq (as bs : List α) : reverseAux as bs = reverse as ++ bs := by
  have key : ∀ (as bs cs : List α), reverseAux as (bs ++ cs) = reverseAux as bs ++ cs := by
    intro as
    induction as with
    | nil => intro _ _; rfl
    | cons a as ih => intro bs cs; exact ih (a :: bs) cs
  exact key as [] bs
@[simp] theorem reverse_nil : reverse ([] : List α) = [] := rfl
@[simp] theorem reverse_cons {a : α} {as : List α} : reverse (a :: as) = reverse as ++ [a] := reverseAux_eq as [a]
@[simp] theorem reverse_append {as bs : List α} : (as ++ bs).reverse = bs.reverse ++ as.reverse := by
  induction as with
  | nil => rw [nil_append, reverse_nil, append_nil]
  | cons a as ih => rw [cons_append, reverse_cons, ih, append_assoc, reverse_cons]
@[simp] theorem reverse_reverse (as : List α) : as.reverse.reverse = as := by
  induction as with
  | nil => rfl
  | cons a as ih => rw [reverse_cons, reverse_append, ih]; rfl
@[simp] theorem length_reverse {as : List α} : as.reverse.length = as.length := by
  induction as with
  | nil => rfl
  | cons a as ih => rw [reverse_cons, length_append, ih]; rfl
theorem reverse_singleton {a : α} : reverse [a] = [a] := rfl
attribute [simp] reverse_singleton
@[simp] theorem map_reverse {f : α → β} {l : List α} : l.reverse.map f = (l.map f).reverse := by
  induction l with
  | nil => rfl
  | cons a l ih => rw [reverse_cons, map_append, ih, map_cons, map_cons, reverse_cons]; rfl
@[simp] theorem reverse_eq_nil_iff {xs : List α} : xs.reverse = [] ↔ xs = [] :=
  ⟨fun h => by rw [← reverse_reverse xs, h]; rfl, fun h => by rw [h]; rfl⟩
theorem reverse_inj {xs ys : List α} : xs.reverse = ys.reverse ↔ xs = ys :=
  ⟨fun h => by rw [← reverse_reverse xs, h, reverse_reverse], fun h => h ▸ rfl⟩
attribute [simp] reverse_inj
theorem foldl_reverse {l : List α} {f : β → α → β} {b : β} : l.reverse.foldl f b = l.foldr (fun x y => f y x) b := by
  induction l with
  | nil => rfl
  | cons a l ih => rw [reverse_cons, foldl_append, ih]; rfl

inductive Mem (a : α) : List α → Prop where
  | head (as : List α) : Mem a (a :: as)
  | tail (b : α) {as : List α} : Mem a as → Mem a (b :: as)
instance instMembershipList : Membership α (List α) := ⟨fun l a => Mem a l⟩
theorem not_mem_nil {a : α} : ¬a ∈ ([] : List α) := fun h => (nomatch h)
@[simp] theorem mem_nil_iff (a : α) : a ∈ ([] : List α) ↔ False := ⟨not_mem_nil, False.elim⟩
theorem mem_cons_self {a : α} {l : List α} : a ∈ a :: l := .head l
theorem mem_cons_of_mem (y : α) {a : α} {l : List α} (h : a ∈ l) : a ∈ y :: l := .tail y h
@[simp] theorem mem_cons {a b : α} {l : List α} : a ∈ b :: l ↔ a = b ∨ a ∈ l :=
  ⟨fun h => match h with
    | .head _ => .inl rfl
    | .tail _ h => .inr h,
   fun h => h.elim (fun e => e ▸ .head l) (.tail b)⟩
theorem mem_singleton {a b : α} : a ∈ [b] ↔ a = b := by rw [mem_cons]; exact ⟨fun h => h.elim id (fun h => (nomatch h)), .inl⟩
theorem mem_singleton_self (a : α) : a ∈ [a] := .head []
theorem eq_or_mem_of_mem_cons {a y : α} {l : List α} : a ∈ y :: l → a = y ∨ a ∈ l := mem_cons.1
theorem eq_nil_iff_forall_not_mem {l : List α} : l = [] ↔ ∀ a, ¬a ∈ l := by
  cases l with
  | nil => exact ⟨fun _ _ => not_mem_nil, fun _ => rfl⟩
  | cons a l => exact ⟨fun h => (nomatch h), fun h => absurd mem_cons_self (h a)⟩
theorem ne_nil_of_mem {a : α} {l : List α} (h : a ∈ l) : l ≠ [] := fun e => not_mem_nil (e ▸ h)
@[simp] theorem mem_append {a : α} {s t : List α} : a ∈ s ++ t ↔ a ∈ s ∨ a ∈ t := by
  induction s with
  | nil => exact ⟨.inr, fun h => h.elim (fun h => (nomatch h)) id⟩
  | cons b s ih => rw [cons_append, mem_cons, mem_cons, ih, or_assoc]
theorem mem_append_left {a : α} {l₁ : List α} (l₂ : List α) (h : a ∈ l₁) : a ∈ l₁ ++ l₂ := mem_append.2 (.inl h)
theorem mem_append_right {a : α} (l₁ : List α) {l₂ : List α} (h : a ∈ l₂) : a ∈ l₁ ++ l₂ := mem_append.2 (.inr h)
@[simp] theorem mem_reverse {x : α} {as : List α} : x ∈ reverse as ↔ x ∈ as := by
  induction as with
  | nil => exact Iff.rfl
  | cons a as ih => rw [reverse_cons, mem_append, ih, mem_singleton, mem_cons, or_comm]
@[simp] theorem mem_map {f : α → β} {b : β} {l : List α} : b ∈ l.map f ↔ ∃ a, a ∈ l ∧ f a = b := by
  induction l with
  | nil => exact ⟨fun h => (nomatch h), fun ⟨_, h, _⟩ => (nomatch h)⟩
  | cons a l ih =>
    rw [map_cons, mem_cons, ih]
    constructor
    · rintro (h | ⟨x, hx, h⟩)
      · exact ⟨a, mem_cons_self, h.symm⟩
      · exact ⟨x, mem_cons_of_mem a hx, h⟩
    · rintro ⟨x, hx, h⟩
      cases mem_cons.1 hx with
      | inl e => exact .inl (e ▸ h.symm)
      | inr m => exact .inr ⟨x, m, h⟩
theorem mem_map_of_mem {f : α → β} {a : α} {l : List α} (h : a ∈ l) : f a ∈ l.map f := mem_map.2 ⟨a, h, rfl⟩
@[simp] theorem mem_filter {p : α → Bool} {x : α} {as : List α} : x ∈ filter p as ↔ x ∈ as ∧ p x = true := by
  induction as with
  | nil => exact ⟨fun h => (nomatch h), fun h => (nomatch h.1)⟩
  | cons a as ih =>
    by_cases h : p a = true
    · rw [filter_cons_of_pos h, mem_cons, ih, mem_cons]
      constructor
      · rintro (e | ⟨m, q⟩)
        · exact ⟨.inl e, e ▸ h⟩
        · exact ⟨.inr m, q⟩
      · rintro ⟨e | m, q⟩
        · exact .inl e
        · exact .inr ⟨m, q⟩
    · rw [filter_cons_of_neg h, ih, mem_cons]
      constructor
      · rintro ⟨m, q⟩; exact ⟨.inr m, q⟩
      · rintro ⟨e | m, q⟩
        · exact absurd (e ▸ q) h
        · exact ⟨m, q⟩
theorem append_of_mem {a : α} : ∀ {l : List α}, a ∈ l → ∃ s t, l = s ++ a :: t
  | _, .head l => ⟨[], l, rfl⟩
  | _, .tail b h => match append_of_mem h with
    | ⟨s, t, e⟩ => ⟨b :: s, t, by rw [e]; rfl⟩
theorem forall_mem_cons {p : α → Prop} {a : α} {l : List α} : (∀ x, x ∈ a :: l → p x) ↔ p a ∧ ∀ x, x ∈ l → p x :=
  ⟨fun h => ⟨h a mem_cons_self, fun x hx => h x (mem_cons_of_mem a hx)⟩,
   fun ⟨ha, hl⟩ x hx => (mem_cons.1 hx).elim (fun e => e ▸ ha) (hl x)⟩
protected def Subset (l₁ l₂ : List α) := ∀ ⦃a : α⦄, a ∈ l₁ → a ∈ l₂
instance instHasSubsetList : HasSubset (List α) := ⟨List.Subset⟩
theorem Subset.refl (l : List α) : l ⊆ l := fun _ h => h
theorem Subset.trans {l₁ l₂ l₃ : List α} (h₁ : l₁ ⊆ l₂) (h₂ : l₂ ⊆ l₃) : l₁ ⊆ l₃ := fun _ h => h₂ (h₁ h)
theorem nil_subset (l : List α) : [] ⊆ l := fun _ h => (nomatch h)
theorem subset_append_left (l₁ l₂ : List α) : l₁ ⊆ l₁ ++ l₂ := fun _ h => mem_append_left l₂ h
theorem subset_append_right (l₁ l₂ : List α) : l₂ ⊆ l₁ ++ l₂ := fun _ h => mem_append_right l₁ h

def elem [BEq α] (a : α) : List α → Bool
  | [] => false
  | b :: bs => match a == b with
    | true => true
    | false => elem a bs
theorem elem_eq_true_iff_mem [DecidableEq α] {a : α} {as : List α} : elem a as = true ↔ a ∈ as := by
  induction as with
  | nil => exact ⟨fun h => (nomatch h), fun h => (nomatch h)⟩
  | cons b as ih =>
    rw [elem, mem_cons]
    cases h : a == b with
    | true => exact ⟨fun _ => .inl (eq_of_beq h), fun _ => rfl⟩
    | false => exact ih.trans ⟨.inr, fun k => k.resolve_left (ne_of_beq_false h)⟩
instance instDecidableMemListOfLawfulBEq [DecidableEq α] (a : α) (as : List α) : Decidable (a ∈ as) :=
  decidable_of_decidable_of_iff elem_eq_true_iff_mem
protected def hasDecEq [DecidableEq α] : (a b : List α) → Decidable (a = b)
  | [], [] => isTrue rfl
  | _ :: _, [] => isFalse fun h => (nomatch h)
  | [], _ :: _ => isFalse fun h => (nomatch h)
  | a :: as, b :: bs => match decEq a b with
    | isFalse n => isFalse fun h => n (List.cons.inj h).1
    | isTrue e => match List.hasDecEq as bs with
      | isTrue e' => isTrue (by rw [e, e'])
      | isFalse n => isFalse fun h => n (List.cons.inj h).2
instance instDecidableEqList [DecidableEq α] : DecidableEq (List α) := List.hasDecEq

def head? : List α → Option α
  | [] => none
  | a :: _ => some a
def head : (as : List α) → as ≠ [] → α
  | a :: _, _ => a
def headD (as : List α) (d : α) : α := match as with | [] => d | a :: _ => a
def tail : List α → List α
  | [] => []
  | _ :: as => as
def getLast? : List α → Option α
  | [] => none
  | [a] => some a
  | _ :: b :: as => getLast? (b :: as)
@[simp] theorem head?_nil : head? ([] : List α) = none := rfl
@[simp] theorem head?_cons {a : α} {l : List α} : head? (a :: l) = some a := rfl
@[simp] theorem head_cons {a : α} {l : List α} {h : a :: l ≠ []} : head (a :: l) h = a := rfl
@[simp] theorem tail_nil : tail ([] : List α) = [] := rfl
@[simp] theorem tail_cons {a : α} {as : List α} : tail (a :: as) = as := rfl
@[simp] theorem length_tail {l : List α} : l.tail.length = l.length - 1 := by cases l <;> rfl
def take : (n : Nat) → (xs : List α) → List α
  | 0, _ => []
  | _ + 1, [] => []
  | n + 1, a :: as => a :: take n as
def drop : (n : Nat) → (xs : List α) → List α
  | 0, as => as
  | _ + 1, [] => []
  | n + 1, _ :: as => drop n as
@[simp] theorem take_zero {l : List α} : take 0 l = [] := rfl
@[simp] theorem take_nil : ∀ {n : Nat}, take n ([] : List α) = []
  | 0 => rfl
  | _ + 1 => rfl
@[simp] theorem take_succ_cons {n : Nat} {a : α} {l : List α} : take (n + 1) (a :: l) = a :: take n l := rfl
@[simp] theorem drop_zero {l : List α} : drop 0 l = l := rfl
@[simp] theorem drop_nil : ∀ {n : Nat}, drop n ([] : List α) = []
  | 0 => rfl
  | _ + 1 => rfl
@[simp] theorem drop_succ_cons {n : Nat} {a : α} {l : List α} : drop (n + 1) (a :: l) = drop n l := rfl
@[simp] theorem take_append_drop : ∀ (n : Nat) (l : List α), take n l ++ drop n l = l
  | 0, _ => rfl
  | _ + 1, [] => rfl
  | n + 1, a :: l => congrArg (a :: ·) (take_append_drop n l)
@[simp] theorem length_drop : ∀ {n : Nat} {l : List α}, (drop n l).length = l.length - n
  | 0, _ => rfl
  | _ + 1, [] => (Nat.zero_sub _).symm
  | n + 1, _ :: l => (length_drop (n := n) (l := l)).trans (Nat.add_sub_add_right _ 1 _).symm
theorem length_take_le (n : Nat) (l : List α) : (take n l).length ≤ n := by
  induction n generalizing l with
  | zero => exact Nat.le_refl 0
  | succ n ih => cases l with
    | nil => exact Nat.zero_le _
    | cons a l => exact Nat.succ_le_succ (ih l)
@[simp] theorem length_take {n : Nat} {l : List α} : (take n l).length = min n l.length := by
  induction n generalizing l with
  | zero => exact (Nat.zero_min _).symm
  | succ n ih => cases l with
    | nil => exact (Nat.min_zero _).symm
    | cons a l =>
      rw [take_succ_cons, length_cons, ih, length_cons, Nat.min_def, Nat.min_def]
      by_cases h : n ≤ l.length
      · rw [ite_eq_left h, ite_eq_left (Nat.succ_le_succ h)]
      · rw [ite_eq_right h, ite_eq_right (fun k => h (Nat.le_of_succ_le_succ k))]

def any : (l : List α) → (p : α → Bool) → Bool
  | [], _ => false
  | h :: t, p => p h || any t p
def all : List α → (α → Bool) → Bool
  | [], _ => true
  | h :: t, p => p h && all t p
@[simp] theorem any_nil {f : α → Bool} : [].any f = false := rfl
@[simp] theorem any_cons {f : α → Bool} {a : α} {l : List α} : (a :: l).any f = (f a || l.any f) := rfl
@[simp] theorem all_nil {f : α → Bool} : [].all f = true := rfl
@[simp] theorem all_cons {f : α → Bool} {a : α} {l : List α} : (a :: l).all f = (f a && l.all f) := rfl
def replicate : (n : Nat) → (a : α) → List α
  | 0, _ => []
  | n + 1, a => a :: replicate n a
@[simp] theorem replicate_zero {a : α} : replicate 0 a = [] := rfl
@[simp] theorem replicate_succ {a : α} {n : Nat} : replicate (n + 1) a = a :: replicate n a := rfl
@[simp] theorem length_replicate {n : Nat} {a : α} : (replicate n a).length = n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [replicate_succ, length_cons, ih]
theorem replicate_add' (m n : Nat) (a : α) : replicate (m + n) a = replicate m a ++ replicate n a := by
  induction m with
  | zero => rw [Nat.zero_add]; rfl
  | succ m ih => rw [Nat.succ_add]; exact congrArg (a :: ·) ih
def flatten : List (List α) → List α
  | [] => []
  | l :: L => l ++ flatten L
@[simp] theorem flatten_nil : ([] : List (List α)).flatten = [] := rfl
@[simp] theorem flatten_cons {l : List α} {L : List (List α)} : (l :: L).flatten = l ++ L.flatten := rfl
def flatMap (b : α → List β) (as : List α) : List β := flatten (map b as)
def zipWith (f : α → β → γ) : List α → List β → List γ
  | x :: xs, y :: ys => f x y :: zipWith f xs ys
  | _, _ => []
def zip : List α → List β → List (α × β) := zipWith Prod.mk
@[simp] theorem zipWith_cons_cons {f : α → β → γ} {a : α} {b : β} {as : List α} {bs : List β} :
    (a :: as).zipWith f (b :: bs) = f a b :: as.zipWith f bs := rfl
@[simp] theorem zip_cons_cons {a : α} {b : β} {as : List α} {bs : List β} : (a :: as).zip (b :: bs) = (a, b) :: as.zip bs := rfl
@[simp] theorem zip_nil_left {l : List β} : zip ([] : List α) l = [] := rfl
@[simp] theorem zip_nil_right {l : List α} : zip l ([] : List β) = [] := by cases l <;> rfl
def unzip : List (α × β) → List α × List β
  | [] => ([], [])
  | (a, b) :: t => match unzip t with
    | (as, bs) => (a :: as, b :: bs)
def get? : List α → Nat → Option α
  | [], _ => none
  | a :: _, 0 => some a
  | _ :: as, n + 1 => get? as n
def getD (as : List α) (i : Nat) (d : α) : α := (as.get? i).getD d
def lookup [BEq α] : α → List (α × β) → Option β
  | _, [] => none
  | a, (k, b) :: es => match a == k with
    | true => some b
    | false => lookup a es
def concat : List α → α → List α
  | [], b => [b]
  | a :: as, b => a :: concat as b
@[simp] theorem concat_eq_append {as : List α} {a : α} : as.concat a = as ++ [a] := by
  induction as with
  | nil => rfl
  | cons b as ih => rw [concat, ih]; rfl
def dropLast : List α → List α
  | [] => []
  | [_] => []
  | a :: b :: as => a :: dropLast (b :: as)
def isEmpty : List α → Bool
  | [] => true
  | _ :: _ => false
@[simp] theorem isEmpty_nil : ([] : List α).isEmpty = true := rfl
@[simp] theorem isEmpty_cons {x : α} {xs : List α} : (x :: xs).isEmpty = false := rfl
def range' : Nat → Nat → List Nat
  | _, 0 => []
  | s, n + 1 => s :: range' (s + 1) n
def range (n : Nat) : List Nat := range' 0 n
@[simp] theorem length_range' : ∀ {s n : Nat}, (range' s n).length = n
  | _, 0 => rfl
  | s, n + 1 => congrArg (· + 1) (length_range' (s := s + 1) (n := n))
@[simp] theorem length_range {n : Nat} : (range n).length = n := length_range'
end List
