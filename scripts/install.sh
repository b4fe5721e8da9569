#!/bin/sh
# Verifies the checksum of a Meno release and installs it. Needs only a POSIX shell, tar, xz and sha256sum.
#
#   sh install.sh [--prefix FOLDER] [ARCHIVE]
#
# ARCHIVE: a file meno-*.tar.xz, or its https address (default: the one next to this script). SHA256SUMS must be next to it.
# FOLDER: default ~/.local. The program becomes FOLDER/bin/meno, and its files FOLDER/lib/meno/VERSION.
set -eu

fail() { echo "install: $*" >&2; exit 1; }
usage() { sed -n 's/^#   //p' "$0" >&2; exit 64; }

prefix=""
archive=""
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -gt 1 ] || usage; prefix=$2; shift ;;
        --prefix=*) prefix=${1#*=} ;;
        -*) usage ;;
        *) [ -z "$archive" ] || usage; archive=$1 ;;
    esac
    shift
done
[ -n "$prefix" ] || prefix=${HOME:?}/.local
here=$(cd -P -- "$(dirname -- "$0")" && pwd -P)
for tool in tar xz sha256sum; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing (Debian: tar, xz-utils, coreutils)."
done
machine=$(uname -m)
[ "$(uname -s)" = Linux ] || fail "this archive is for Linux."

if [ -z "$archive" ]; then
    set -- "$here"/meno-*-linux-"$machine".tar.xz
    [ $# -eq 1 ] && [ -f "$1" ] || fail "there must be exactly one meno-*-linux-$machine.tar.xz next to this script; otherwise, name the archive."
    archive=$1
fi
work=$(mktemp -d)
target=""
trap 'rm -rf "$work" ${target:+"$target.partial"}' EXIT
trap 'exit 130' INT TERM

name=${archive##*/}
case $archive in
    https://*)
        download() {
            if command -v curl >/dev/null 2>&1; then
                curl --proto =https --tlsv1.2 -fsSL -o "$2" "$1"
            elif command -v wget >/dev/null 2>&1; then
                wget -q -O "$2" "$1"
            else
                fail "curl or wget is needed to download the archive; install one of them, or download it yourself."
            fi
        }
        download "$archive" "$work/$name" || fail "$archive cannot be downloaded."
        download "${archive%/*}/SHA256SUMS" "$work/SHA256SUMS" || fail "${archive%/*}/SHA256SUMS cannot be downloaded."
        archive=$work/$name sums=$work/SHA256SUMS
        ;;
    *://*) fail "the address must begin with https://." ;;
    *)
        [ -f "$archive" ] || fail "$archive does not exist."
        sums=$(dirname -- "$archive")/SHA256SUMS
        [ -f "$sums" ] || fail "$sums does not exist. Download it from the same release, next to the archive."
        ;;
esac

case $name in
    meno-*-linux-"$machine".tar.xz) ;;
    *) fail "$name is not an archive for this machine ($machine)." ;;
esac
expected=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$sums")
[ -n "$expected" ] || fail "$sums has no checksum of $name."
actual=$(sha256sum <"$archive")
actual=${actual%% *}
[ "$actual" = "$expected" ] || fail "$name has SHA-256 $actual, and $sums says $expected. Nothing was installed."

version=${name#meno-}
version=${version%-linux-*}
mkdir -p "$prefix/bin" "$prefix/lib/meno"
prefix=$(cd -P -- "$prefix" && pwd -P)
target=$prefix/lib/meno/$version
rm -rf "$target.partial"
mkdir "$target.partial"
xz -dc "$archive" | tar -xf - -C "$target.partial" --strip-components=1 --no-same-owner
(cd "$target.partial" && sha256sum --quiet -c SHA256SUMS) || fail "the unpacked files do not match their checksums. Download the archive again."
# The program is started once before it replaces another version.
"$target.partial/bin/meno" --version >"$work/version" 2>"$work/errors" ||
    fail "the program does not start: $(cat "$work/errors")"
rm -rf "$target"
mv "$target.partial" "$target"
ln -sfn "../lib/meno/$version/bin/meno" "$prefix/bin/meno"
echo "installed $prefix/bin/meno, version $(cat "$work/version")"
case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "add $prefix/bin to PATH to call it as meno" ;;
esac
