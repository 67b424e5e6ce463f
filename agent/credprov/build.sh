#!/bin/sh
# Builds the credential provider with clang, lld and llvm-dlltool, without any C
# library; Windows' headers are those of mingw-w64-common. The same sources give
# the same bytes.
# usage: build.sh FOLDER VERSION, writes FOLDER/firstday-credprov-{amd64,arm64}.dll,
# and beside each a .map with the address of every function
set -eu

out=$1 version=$2

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/agent/credprov/native
headers=${MINGW_HEADERS:-/usr/share/mingw-w64/include}

missing=
for tool in clang lld-link llvm-dlltool; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -e "$headers/windows.h" ] || missing="$missing $headers/windows.h"
if [ -n "$missing" ]; then
	echo "error: the credential provider cannot be built without$missing" >&2
	echo "hint: scripts/setup.sh demo installs clang, lld, llvm and mingw-w64-common on Debian and Ubuntu; MINGW_HEADERS names the headers elsewhere" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

(cd "$root" && go tool -modfile=tools/winres/go.mod go-winres make --in agent/credprov/winres.json \
	--out "$work/resource" --arch amd64,arm64 --product-version "$version" --file-version "$version")

# build ARCH TARGET MACHINE DLLTOOL
build() {
	arch=$1 target=$2 machine=$3 dlltool=$4
	objects=
	for source in rt.c ../../local/reference/surface.c core.c tile.c pipe.c peer.c logon.c image.c sentinel.c credential.c provider.c module.c; do
		object=$work/$arch-$(basename "$source" .c).obj
		clang --target="$target" -std=c11 -Os -g0 -nostdlibinc -isystem "$headers" -I"$here" \
			-ffreestanding -fno-builtin -fno-ident -fasynchronous-unwind-tables -ffile-prefix-map="$root=." \
			-fstack-protector-strong -Xclang -cfguard -mno-stack-arg-probe -Wframe-larger-than=3000 \
			-Wall -Wextra -Werror -Wno-ignored-attributes -D_WIN32_WINNT=0x0A00 \
			-c "$here/$source" -o "$object"
		objects="$objects $object"
	done
	for file in "$here"/imports/*.def; do
		lib=$work/$arch-$(basename "$file" .def).lib
		llvm-dlltool -m "$dlltool" -d "$file" -l "$lib"
		objects="$objects $lib"
	done
	# shellcheck disable=SC2086 # a list of files
	lld-link /dll /nologo /machine:"$machine" /subsystem:windows,10.0 /entry:DllMain /nodefaultlib /Brepro \
		/dynamicbase /highentropyva /nxcompat /guard:cf,nolongjmp /opt:ref /implib:"$work/$arch-import.lib" /map:"$out/firstday-credprov-$arch.map" /def:"$here/credprov.def" \
		/out:"$work/firstday-credprov-$arch.dll" $objects "$work/resource_windows_$arch.syso"
	mv "$work/firstday-credprov-$arch.dll" "$out/"
}

build amd64 x86_64-w64-windows-gnu x64 i386:x86-64
build arm64 aarch64-w64-windows-gnu arm64 arm64
