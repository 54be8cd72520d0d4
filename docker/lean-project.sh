#!/bin/sh
# Makes /opt/lean: a toolchain, a Lake project that requires the community REPL and Mathlib at given revisions, both built,
# and bin/repl, which runs that REPL without Lake: a start needs no git, no lock, no network and no second process.
#
#   LEAN_TOOLCHAIN=leanprover/lean4:v4.31.0 REPL_REVISION=v4.31.0 MATHLIB_REVISION=v4.31.0 lean-project.sh
#
# Without a MATHLIB_REVISION there is no Mathlib. LEAN_HEADER is what is tried at the end.
set -eu
: "${LEAN_TOOLCHAIN:?} ${REPL_REVISION:?}"
mathlib=${MATHLIB_REVISION:-}
root=${LEAN_ROOT:-/opt/lean}
export ELAN_HOME="$root/elan"

mkdir -p "$root/project" "$root/bin"
cd "$root/project"
elan toolchain install "$LEAN_TOOLCHAIN"
echo "$LEAN_TOOLCHAIN" >lean-toolchain
require() {
    printf '\n[[require]]\nname = "%s"\ngit = "https://github.com/leanprover-community/%s"\nrev = "%s"\n' "$@"
}
{
    echo 'name = "project"'
    require REPL repl "$REPL_REVISION"
    [ -z "$mathlib" ] || require mathlib mathlib4 "$mathlib"
} >lakefile.toml

MATHLIB_NO_CACHE_ON_UPDATE=1 lake update
# Lake follows the newest toolchain among the packages: then something other would be built than what was asked for.
if [ "$(cat lean-toolchain)" != "$LEAN_TOOLCHAIN" ]; then
    echo "REPL $REPL_REVISION and Mathlib $mathlib need $(cat lean-toolchain), not $LEAN_TOOLCHAIN" >&2
    exit 1
fi
if [ -n "$mathlib" ]; then
    lake exe cache get
    lake build --no-build Mathlib # else a gap in the cache would be hours of compiling
fi
lake build repl

repl=$PWD/.lake/packages/REPL/.lake/build/bin/repl
[ -x "$repl" ]
# Some of these are not set by every Lake.
lake env sh -c 'for name in LEAN_SYSROOT LEAN_PATH LD_LIBRARY_PATH; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || printf "export %s=\"%s\"\n" "$name" "$value"
done' >"$root/environment"
{ echo '#!/bin/sh'; cat "$root/environment"; echo "exec \"$repl\" \"\$@\""; } >"$root/bin/repl"
rm "$root/environment"
chmod 755 "$root/bin/repl"

said=$(printf '{"cmd": "%s"}\n\n' "${LEAN_HEADER:-}" | env -i PATH=/usr/bin:/bin "$root/bin/repl")
case $said in
    *'"error"'* | *'"message"'*) echo "the REPL does not take its header: $said" >&2 && exit 1 ;;
    *'"env"'*) echo "the REPL answers: $said" ;;
    *) echo "the REPL does not answer: $said" >&2 && exit 1 ;;
esac

# What only Lake would need.
find .lake/packages -maxdepth 2 -name .git -exec rm -rf {} +
rm -rf "$HOME/.cache/mathlib"
