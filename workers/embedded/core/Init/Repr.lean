/-
Init.Repr: how values are shown (`deriving Repr`, `#eval`). The constructors of `Std.Format` follow the compiler's layout, since the
compiled pretty-printer is what prints them.
-/
prelude
import Init.AC
set_option linter.all false
set_option warn.classDefReducibility false
universe u v

namespace Std
inductive Format.FlattenBehavior where
  | allOrNone
  | fill
inductive Format where
  | nil : Format
  | line : Format
  | align (force : Bool) : Format
  | text : String → Format
  | nest (indent : Int) : Format → Format
  | append : Format → Format → Format
  | group : Format → (behavior : Format.FlattenBehavior := .allOrNone) → Format
  | tag : Nat → Format → Format
instance : Inhabited Format := ⟨.nil⟩
class ToFormat (α : Type u) where
  format : α → Format
namespace Format
instance : Append Format := ⟨Format.append⟩
instance : Coe String Format := ⟨text⟩
instance : ToFormat Format := ⟨fun f => f⟩
instance : ToFormat String := ⟨text⟩
def join (xs : List Format) : Format := xs.foldl (· ++ ·) nil
def joinSep {α : Type u} [ToFormat α] : List α → Format → Format
  | [], _ => nil
  | [a], _ => ToFormat.format a
  | a :: as, sep => as.foldl (fun r a => r ++ sep ++ ToFormat.format a) (ToFormat.format a)
def bracket (l : String) (x : Format) (r : String) : Format := group (nest (Int.ofNat l.length) (text l ++ x ++ text r))
def paren (f : Format) : Format := bracket "(" f ")"
def sbracket (f : Format) : Format := bracket "[" f "]"
def nestD (f : Format) : Format := nest 2 f
def indentD (f : Format) : Format := nestD (line ++ f)
end Format
end Std
open Std (Format)

class Repr (α : Type u) where
  reprPrec : α → Nat → Format
export Repr (reprPrec)
def repr {α : Type u} [Repr α] (a : α) : Format := reprPrec a 0
def reprArg {α : Type u} [Repr α] (a : α) : Format := reprPrec a 1024
def Repr.addAppParen (f : Format) (prec : Nat) : Format := if prec ≥ 1024 then Format.paren f else f
class ReprAtom (α : Type u)
class ToString (α : Type u) where
  toString : α → String
export ToString (toString)
instance : ToString String := ⟨fun s => s⟩

-- The compiled library has these functions under their own names.
@[extern "native"] opaque String.quote : String → String
@[extern "native"] opaque Int.repr : Int → String
def Nat.repr (n : Nat) : String := Int.repr (Int.ofNat n)
@[extern "native"] opaque Char.quote : Char → String
instance instReprNat : Repr Nat := ⟨fun n _ => .text n.repr⟩
instance : ReprAtom Nat := ⟨⟩
instance : ToString Nat := ⟨Nat.repr⟩
instance : Repr Int := ⟨fun i prec => if i < 0 then Repr.addAppParen (.text i.repr) prec else .text i.repr⟩
instance : ToString Int := ⟨Int.repr⟩
instance : Repr String := ⟨fun s _ => .text s.quote⟩
instance : ReprAtom String := ⟨⟩
instance : Repr Char := ⟨fun c _ => .text c.quote⟩
instance : Repr Bool := ⟨fun | true, _ => .text "true" | false, _ => .text "false"⟩
instance : ToString Bool := ⟨fun b => cond b "true" "false"⟩
instance : Repr PUnit := ⟨fun _ _ => .text "()"⟩
instance {p : Prop} : Repr (Decidable p) := ⟨fun | isTrue _, prec => Repr.addAppParen (.text "isTrue _") prec | isFalse _, prec => Repr.addAppParen (.text "isFalse _") prec⟩
instance {n : Nat} : Repr (Fin n) := ⟨fun i => reprPrec i.val⟩
instance {α : Type u} [Repr α] : Repr (Option α) := ⟨fun
  | none, _ => .text "none"
  | some a, prec => Repr.addAppParen (.text "some " ++ reprArg a) prec⟩
instance {α : Type u} [Repr α] : Repr (List α) := ⟨fun xs _ => match xs with
  | [] => .text "[]"
  | xs => Format.sbracket (Format.joinSep (xs.map repr) (.text "," ++ .line))⟩
class ReprTuple (α : Type u) where
  reprTuple : α → List Format → List Format
instance {α : Type u} [Repr α] : ReprTuple α := ⟨fun a xs => repr a :: xs⟩
instance {α : Type u} {β : Type v} [Repr α] [ReprTuple β] : ReprTuple (α × β) := ⟨fun (a, b) xs => ReprTuple.reprTuple b (repr a :: xs)⟩
instance {α : Type u} {β : Type v} [Repr α] [ReprTuple β] : Repr (α × β) :=
  ⟨fun (a, b) _ => Format.bracket "(" (Format.joinSep (ReprTuple.reprTuple b [repr a]).reverse (.text "," ++ .line)) ")"⟩
instance {α : Type u} {p : α → Prop} [Repr α] : Repr (Subtype p) := ⟨fun s prec => reprPrec s.val prec⟩
instance {α : Type u} {β : Type v} [Repr α] [Repr β] : Repr (α ⊕ β) := ⟨fun
  | .inl a, prec => Repr.addAppParen (.text "Sum.inl " ++ reprArg a) prec
  | .inr b, prec => Repr.addAppParen (.text "Sum.inr " ++ reprArg b) prec⟩
