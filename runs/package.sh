#!/usr/bin/env bash
# Makes packages of laser that need neither Swift nor OpenBLAS where they are installed: a .deb and a .tar.gz in dist/,
# with the program, its manual page and completions for bash, zsh and fish. Then tries both in a bare Debian, for which
# it needs root and debootstrap. docs/packaging.md says more.
#
#   runs/package.sh            about ten minutes on two cores
#   TRY=no runs/package.sh     makes them only
set -euo pipefail
cd "$(dirname "$0")/.."

build=.build-package
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
# Where gcc's own libraries are, the compiler of Fortran's among them.
gcc=$(dirname "$("$clang" -print-libgcc-file-name --rtlib=libgcc)")
bash runs/install.sh "libgfortran-$(basename "$gcc")-dev"

# The day of the commit, not of the build: the same commit gives the same packages.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct)}
version=$(sed -n 's/.*number = "\(.*\)"/\1/p' Sources/laser/Version.swift)
machine=$(uname -m)
architecture=$(dpkg --print-architecture)

# MARK: The program

# A folder with nothing but archives, searched first: what is found here is linked statically. Fortran's library and
# libquadmath are what LAPACK needs. libquadmath exists on x86 only.
libraries=/usr/lib/$machine-linux-gnu
rm -rf "$build/archives" && mkdir -p "$build/archives"
archives=("$libraries/libopenblas.a" "$libraries/liblapacke.a" "$gcc/libgfortran.a" "$gcc/libstdc++.a")
linked=(-lopenblas -lgfortran)
if [ -e "$gcc/libquadmath.a" ]; then
  archives+=("$gcc/libquadmath.a")
  linked+=(-lquadmath)
fi
ln -s "${archives[@]}" "$build/archives/"
# The part of gcc's library that unwinds has another name as an archive.
ln -s "$gcc/libgcc_eh.a" "$build/archives/libgcc_s.a"
flags=(-Xlinker "-L$PWD/$build/archives")
for library in "${linked[@]}"; do flags+=(-Xlinker "$library"); done
swift build -c release --static-swift-stdlib --scratch-path "$build" --product laser "${flags[@]}"
program=$build/release/laser

needed=$(objdump -p "$program" | sed -n 's/^ *NEEDED *//p')
if others=$(grep -vE '^(libc|libm|libdl|libpthread|librt|ld-linux.*)\.so' <<<"$needed"); then
  echo "The program would need more than glibc: $others" >&2
  exit 1
fi
glibc=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)

# MARK: What lies beside it

staged=$build/staged
rm -rf "$staged" && mkdir -p "$staged"/{bin,share/man/man1,share/doc/laser} \
  "$staged"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
install -m 755 "$program" "$staged/bin/laser"
strip "$staged/bin/laser"
"$program" --generate-completion-script bash >"$staged/share/bash-completion/completions/laser"
"$program" --generate-completion-script zsh >"$staged/share/zsh/site-functions/_laser"
"$program" --generate-completion-script fish >"$staged/share/fish/vendor_completions.d/laser.fish"

swift build --package-path "$build/checkouts/swift-argument-parser" --scratch-path "$build/manual" \
  --product generate-manual
"$build/manual/debug/generate-manual" "$program" --date "$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)" \
  --output-directory "$staged/share/man/man1"
gzip -9n "$staged/share/man/man1/laser.1"

cp README.md "$staged/share/doc/laser/"
cp -r docs "$staged/share/doc/laser/"
# Licences of all that is linked into the program ask for their texts beside it.
{
  echo "laser"
  cat LICENSE
  for checkout in "$build"/checkouts/*/; do
    printf '\n\n%s\n\n' "$(basename "$checkout")"
    cat "$checkout"LICENSE*
  done
  printf '\n\nThe Swift runtime\n\n'
  cat "$(dirname "$clang")/../share/swift/LICENSE.txt"
  for package in libopenblas-dev liblapacke-dev "libgfortran-$(basename "$gcc")-dev"; do
    printf '\n\n%s\n\n' "$package"
    cat "/usr/share/doc/$package/copyright"
  done
} >"$staged/share/doc/laser/copyright"
chmod -R u=rwX,go=rX "$staged"

# MARK: Packages

mkdir -p dist
name=laser-$version-linux-$machine
tar --create --directory "$staged" --transform "s,^\.,$name," --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
  --owner=0 --group=0 --numeric-owner . | gzip -9n >"dist/$name.tar.gz"

root=$build/deb
rm -rf "$root" && mkdir -p "$root/DEBIAN" && cp -r "$staged" "$root/usr"
mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
cat >"$root/DEBIAN/control" <<END
Package: laser
Version: $version
Architecture: $architecture
Maintainer: $(git log -1 --format='%an <%ae>')
Section: science
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: libc6 (>= ${glibc#GLIBC_})
Description: make language models better by lowering the rank of their weights
 Decomposes the weight matrices of a language model into singular directions
 and takes away, wholly or in part, those that it is better without (LASER,
 layer-selective rank reduction). Made for Mixture-of-Experts merges; works on
 dense models too. Reads and writes Hugging Face checkpoints and GGUF files.
END
deb=dist/laser_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$deb" >/dev/null
echo "Made $deb and dist/$name.tar.gz; both need glibc ${glibc#GLIBC_} or later."

# MARK: Trying them

[ "${TRY-yes}" = yes ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
  echo "Not tried in a bare Debian: that needs root and debootstrap." >&2
  exit 0
fi

# The system and the mirror that this machine installs its own packages from.
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
  sed -n "s/ $suite\$//p" | head -n 1)
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
debootstrap --variant=minbase "$suite" "$bare" "$mirror" >/dev/null
mkdir "$bare/posy" && cp -r runs/posy/model runs/posy/text "$bare/posy/"
cp "dist/$name.tar.gz" "$deb" "$bare/"

# A command in there, with /proc, which nothing outside sees and which is gone when the command is.
inside() { unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$bare" "$@"; }

# Same numbers as here, of the program's own products and of OpenBLAS's.
measure() { # where posy is, what runs laser
  { "${@:2}" perplexity "$1/model" --text "$1/text/tales.heldout.txt" --json &&
    "${@:2}" spectrum "$1/model" --layers 0 --json; } | grep -vE '"(model|text|seconds|tokens_per_second)"'
}
expected=$(measure runs/posy "$program")

check() { # which package, the program in there
  inside "$2" --version
  inside "$2" doctor
  if [ "$(measure /posy inside "$2")" != "$expected" ]; then
    echo "$1: other numbers in the bare $suite than here" >&2
    exit 1
  fi
  echo "$1: the same numbers in a bare $suite as here"
}
inside dpkg --install "/$(basename "$deb")"
check "$deb" laser
inside test -s /usr/share/man/man1/laser.1.gz
inside dpkg --remove laser
inside sh -c '! command -v laser' || exit 1
inside tar --extract --gzip --file "/$name.tar.gz" --directory /opt
check "dist/$name.tar.gz" "/opt/$name/bin/laser"
