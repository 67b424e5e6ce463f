#!/bin/sh
# Builds the authorization plug-in of macOS' login window with clang, lld and
# llvm-lipo, without Apple's SDK: what is called is declared in native, and named in
# native/stubs for the linker. The same sources give the same bytes.
# usage: build.sh FOLDER VERSION, writes FOLDER/FirstdayLogin.bundle
set -eu

out=$1 version=$2

case $version in
*[!0-9A-Za-z.+-]*) echo "error: $version is no version" >&2; exit 1 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# newest NAME gives the program of that name; Debian and Ubuntu have some under the
# name of their version of LLVM only.
newest() {
	for name in "$1" $(seq -f "$1-%g" 30 -1 14); do
		if command -v "$name" >/dev/null; then
			echo "$name"
			return
		fi
	done
}
clang=$(newest clang) lld=$(newest ld64.lld) lipo=$(newest llvm-lipo)
missing=
[ -n "$clang" ] || missing="$missing clang"
[ -n "$lld" ] || missing="$missing ld64.lld"
[ -n "$lipo" ] || missing="$missing llvm-lipo"
if [ -n "$missing" ]; then
	echo "error: the login window's plug-in cannot be built without$missing" >&2
	echo "hint: scripts/setup.sh demo installs clang, lld and llvm on Debian and Ubuntu" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build ARCH
build() {
	arch=$1
	objects=
	mkdir "$work/$arch" # the signature holds the name
	for source in ../../local/reference/surface.c ../../local/reference/requests.c json.c core.c desk.c page.c origin.c networks.c visit.c guard.c plugin.c wifi.m trust.m window.m; do
		object=$work/$arch-$(basename "$source").o
		"$clang" -target "$arch-apple-macos12.0" -std=gnu11 -Os -g0 -nostdlibinc -isystem "$here/native/include" -I"$here/native" \
			-ffreestanding -fno-ident -fvisibility=hidden -ffile-prefix-map="$root=." -fobjc-runtime=macosx-12.0 -fno-objc-arc \
			-fstack-protector-strong -Wall -Wextra -Werror -Wno-unused-parameter -DFIRSTDAY_VERSION="\"$version\"" \
			-c "$here/native/$source" -o "$object"
		objects="$objects $object"
	done
	# shellcheck disable=SC2086 # a list of files
	"$lld" -arch "$arch" -platform_version macos 12.0 14.0 -syslibroot "$here/native/stubs" -bundle -dead_strip -adhoc_codesign \
		-exported_symbol _AuthorizationPluginCreate -o "$work/$arch/FirstdayLogin" $objects \
		-lSystem -lobjc -framework CoreFoundation -framework Foundation -framework AppKit -framework WebKit -framework CoreWLAN -framework Security
}

build x86_64
build arm64

bundle=$work/FirstdayLogin.bundle
mkdir -p "$bundle/Contents/MacOS" "$bundle/Contents/Resources" "$out"
"$lipo" -create "$work/x86_64/FirstdayLogin" "$work/arm64/FirstdayLogin" -output "$bundle/Contents/MacOS/FirstdayLogin"
sed "s/@VERSION@/$version/" "$here/bundle/Info.plist" >"$bundle/Contents/Info.plist"
mkdir "$bundle/Contents/Resources/words"
cp "$here"/../../signinpage/index.html "$here"/../../signinpage/style.css "$here"/../../signinpage/*.js "$bundle/Contents/Resources/"
cp "$here"/../../signinpage/words/*.js "$bundle/Contents/Resources/words/"
chmod -R u=rwX,go=rX "$bundle"
rm -rf "$out/FirstdayLogin.bundle"
mv "$bundle" "$out/"
