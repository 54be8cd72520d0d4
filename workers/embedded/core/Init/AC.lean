/-
Init.AC: what `ac_rfl` and `ac_nf` appeal to. An expression in one associative operation is turned into a list of its variables,
without neutral elements, sorted where the operation commutes, and without repetitions where it is idempotent.
-/
prelude
import Init.Int
set_option linter.all false
set_option warn.classDefReducibility false
universe u

namespace Lean.Data.AC
open Std

inductive Expr where
  | var (x : Nat)
  | op (lhs rhs : Expr)

structure Variable {α : Sort u} (op : α → α → α) : Type u where
  value : α
  neutral : Option (PLift (LawfulIdentity op value))

structure Context (α : Sort u) where
  op : α → α → α
  assoc : Associative op
  comm : Option (PLift (Commutative op))
  idem : Option (PLift (IdempotentOp op))
  vars : List (Variable op)
  arbitrary : α

variable {α : Sort u}

namespace Context

def var (ctx : Context α) (i : Nat) : Variable ctx.op := (ctx.vars.get? i).getD ⟨ctx.arbitrary, none⟩
def value (ctx : Context α) (i : Nat) : α := (ctx.var i).value
def isNeutral (ctx : Context α) (i : Nat) : Bool := (ctx.var i).neutral.isSome
def isComm (ctx : Context α) : Bool := ctx.comm.isSome
def isIdem (ctx : Context α) : Bool := ctx.idem.isSome

theorem neutral_of (ctx : Context α) {i : Nat} (h : ctx.isNeutral i = true) : LawfulIdentity ctx.op (ctx.value i) :=
  match hn : (ctx.var i).neutral with
  | some n => n.down
  | none => by rw [isNeutral, hn] at h; exact nomatch h
theorem comm_of (ctx : Context α) (h : ctx.isComm = true) : Commutative ctx.op :=
  match hn : ctx.comm with
  | some c => c.down
  | none => by rw [isComm, hn] at h; exact nomatch h
theorem idem_of (ctx : Context α) (h : ctx.isIdem = true) : IdempotentOp ctx.op :=
  match hn : ctx.idem with
  | some c => c.down
  | none => by rw [isIdem, hn] at h; exact nomatch h

def evalList (ctx : Context α) : List Nat → α
  | [] => ctx.arbitrary
  | [x] => ctx.value x
  | x :: y :: ys => ctx.op (ctx.value x) (ctx.evalList (y :: ys))

def insert (ctx : Context α) (x : Nat) : List Nat → List Nat
  | [] => [x]
  | y :: ys =>
    if ctx.isIdem = true ∧ x = y then y :: ys
    else if ctx.isComm = true ∧ y < x then y :: ctx.insert x ys
    else x :: y :: ys

theorem insert_ne_nil (ctx : Context α) (x : Nat) : ∀ l, ∃ y ys, ctx.insert x l = y :: ys
  | [] => ⟨x, [], rfl⟩
  | y :: ys => by
    unfold insert
    split
    · exact ⟨y, ys, rfl⟩
    · split
      · exact ⟨y, ctx.insert x ys, rfl⟩
      · exact ⟨x, y :: ys, rfl⟩

theorem evalList_cons (ctx : Context α) (x : Nat) {l : List Nat} (h : ∃ y ys, l = y :: ys) :
    ctx.evalList (x :: l) = ctx.op (ctx.value x) (ctx.evalList l) :=
  match h with
  | ⟨_, _, e⟩ => by rw [e]; rfl

theorem evalList_insert (ctx : Context α) (x y : Nat) (ys : List Nat) :
    ctx.evalList (ctx.insert x (y :: ys)) = ctx.op (ctx.value x) (ctx.evalList (y :: ys)) := by
  induction ys generalizing y with
  | nil =>
    unfold insert
    split
    · exact (‹ctx.isIdem = true ∧ x = y›).2 ▸ ((ctx.idem_of (‹ctx.isIdem = true ∧ x = y›).1).idempotent _).symm
    · split
      · exact (ctx.comm_of (‹ctx.isComm = true ∧ y < x›).1).comm _ _
      · rfl
  | cons z zs ih =>
    rw [insert]
    split
    · rw [(‹ctx.isIdem = true ∧ x = y›).2, ctx.evalList_cons y ⟨z, zs, rfl⟩, ← ctx.assoc.assoc,
        (ctx.idem_of (‹ctx.isIdem = true ∧ x = y›).1).idempotent]
    · split
      · have comm := ctx.comm_of (‹ctx.isComm = true ∧ y < x›).1
        rw [ctx.evalList_cons y (ctx.insert_ne_nil x (z :: zs)), ih, ctx.evalList_cons y ⟨z, zs, rfl⟩, ← ctx.assoc.assoc,
          ← ctx.assoc.assoc, comm.comm (ctx.value y)]
      · rfl

def push (ctx : Context α) (x : Nat) (l : List Nat) : List Nat :=
  if ctx.isNeutral x = true then l
  else match l with
    | [y] => if ctx.isNeutral y = true then [x] else ctx.insert x [y]
    | l => ctx.insert x l

theorem push_ne_nil (ctx : Context α) (x y : Nat) (ys : List Nat) : ∃ z zs, ctx.push x (y :: ys) = z :: zs := by
  unfold push
  split
  · exact ⟨y, ys, rfl⟩
  · split
    · split
      · exact ⟨x, [], rfl⟩
      · exact ctx.insert_ne_nil x _
    · exact ctx.insert_ne_nil x _

theorem evalList_push (ctx : Context α) (x y : Nat) (ys : List Nat) :
    ctx.evalList (ctx.push x (y :: ys)) = ctx.op (ctx.value x) (ctx.evalList (y :: ys)) := by
  unfold push
  split
  · exact ((ctx.neutral_of ‹_›).left_id _).symm
  · cases ys with
    | nil =>
      show ctx.evalList (if ctx.isNeutral y = true then [x] else ctx.insert x [y]) = _
      split
      · exact ((ctx.neutral_of ‹ctx.isNeutral y = true›).right_id _).symm
      · exact ctx.evalList_insert x y []
    | cons z zs => exact ctx.evalList_insert x y (z :: zs)

def normList (ctx : Context α) : List Nat → List Nat
  | [] => []
  | [x] => [x]
  | x :: y :: ys => ctx.push x (ctx.normList (y :: ys))

theorem normList_spec (ctx : Context α) (x : Nat) (xs : List Nat) :
    (∃ y ys, ctx.normList (x :: xs) = y :: ys) ∧ ctx.evalList (ctx.normList (x :: xs)) = ctx.evalList (x :: xs) := by
  induction xs generalizing x with
  | nil => exact ⟨⟨x, [], rfl⟩, rfl⟩
  | cons y ys ih =>
    have ⟨⟨z, zs, e⟩, same⟩ := ih y
    rw [normList, e]
    refine ⟨ctx.push_ne_nil x z zs, ?_⟩
    rw [ctx.evalList_push, ← e, same]
    rfl

end Context

def Expr.toList : Expr → List Nat
  | .var x => [x]
  | .op l r => l.toList ++ r.toList

theorem Expr.toList_ne_nil : (e : Expr) → ∃ x xs, e.toList = x :: xs
  | .var x => ⟨x, [], rfl⟩
  | .op l r => match l.toList_ne_nil with
    | ⟨x, xs, e⟩ => ⟨x, xs ++ r.toList, by rw [toList, e]; rfl⟩

def eval (α : Sort u) (ctx : Context α) : Expr → α
  | .var x => ctx.value x
  | .op l r => ctx.op (eval α ctx l) (eval α ctx r)

def norm (ctx : Context α) (e : Expr) : List Nat := ctx.normList e.toList

namespace Context

theorem evalList_append (ctx : Context α) (x : Nat) (xs : List Nat) {l : List Nat} (h : ∃ y ys, l = y :: ys) :
    ctx.evalList (x :: xs ++ l) = ctx.op (ctx.evalList (x :: xs)) (ctx.evalList l) := by
  induction xs generalizing x with
  | nil => exact ctx.evalList_cons x h
  | cons y ys ih =>
    rw [List.cons_append, ctx.evalList_cons x (l := y :: ys ++ l) ⟨y, ys ++ l, rfl⟩, ih, ctx.evalList_cons x ⟨y, ys, rfl⟩, ctx.assoc.assoc]

theorem evalList_toList (ctx : Context α) (e : Expr) : ctx.evalList e.toList = eval α ctx e := by
  induction e with
  | var x => rfl
  | op l r ihl ihr =>
    have ⟨x, xs, e⟩ := l.toList_ne_nil
    rw [Expr.toList, e, ctx.evalList_append x xs r.toList_ne_nil, ← e, ihl, ihr]
    rfl

theorem evalList_norm (ctx : Context α) (e : Expr) : ctx.evalList (norm ctx e) = eval α ctx e := by
  have ⟨x, xs, h⟩ := e.toList_ne_nil
  rw [norm, h, (ctx.normList_spec x xs).2, ← h, ctx.evalList_toList]

theorem eq_of_norm (ctx : Context α) (a b : Expr) (h : (norm ctx a == norm ctx b) = true) : eval α ctx a = eval α ctx b := by
  rw [← ctx.evalList_norm a, ← ctx.evalList_norm b, eq_of_beq h]

end Context
end Lean.Data.AC
