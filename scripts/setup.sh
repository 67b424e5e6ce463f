#!/bin/sh
# Installs the outside tools that judge our packages, on Debian and Ubuntu.
# usage: setup.sh demo|test|release
set -eu

# What builds the tile of Windows' sign-in screen, which packages for Windows carry,
# and the plug-in of the login window of Macs.
native="clang:clang lld-link:lld llvm-dlltool:llvm windows.h:mingw-w64-common
	ld64.lld-N:lld llvm-lipo-N:llvm"

case "${1:-}" in
demo) need="$native wimlib-imagex:wimtools 7zz|7z:7zip osslsigncode:osslsigncode openssl:openssl file:file cpio:cpio" ;;
test) need="$native wimlib-imagex:wimtools 7zz|7z:7zip osslsigncode:osslsigncode openssl:openssl file:file
	xmllint:libxml2-utils wine64|wine:wine64 wine:wine x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64-win32
	llvm-objdump:llvm qemu-aarch64-static|qemu-aarch64:qemu-user-static aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu libc-dev-arm64:libc6-dev-arm64-cross
	Xvfb:xvfb zbarimg:zbar-tools liberation-fonts:fonts-liberation
	useradd:passwd pamtester:pamtester
	softhsm2-util:softhsm2 swtpm:swtpm pkcs11-tool:opensc systemd-analyze:systemd gcc:gcc libc-dev:libc6-dev
	cpio:cpio bsdtar:libarchive-tools cksum:coreutils
	fsck.fat:dosfstools mkfs.ext4:e2fsprogs mcopy:mtools sgdisk:gdisk sfdisk:fdisk shellcheck:shellcheck dash:dash losetup:mount
	python3:python3 initdb:postgresql pdftotext:poppler-utils pdfinfo:poppler-utils qpdf:qpdf chromium|chromium-browser|google-chrome:chromium git:git npm:npm" ;;
release) need="$native git:git bsdtar:libarchive-tools man:man-db systemd-analyze:systemd fakeroot:fakeroot zsh:zsh fish:fish" ;;
*) echo "usage: $0 demo|test|release" >&2; exit 2 ;;
esac

# have NAME|NAME… is true when one of the programs is there, or what stands for a package without any.
have() {
	for name in $(echo "$1" | tr '|' ' '); do
		if [ "$name" = libc-dev ]; then
			[ -e /usr/include/stdlib.h ] && return 0
		elif [ "$name" = libc-dev-arm64 ]; then
			[ -e /usr/aarch64-linux-gnu/include/stdlib.h ] && return 0
		elif command -v "${name%-N}" >/dev/null 2>&1; then
			return 0
		elif [ "$name" != "${name%-N}" ] && ls /usr/bin/"${name%-N}"-[0-9]* >/dev/null 2>&1; then
			return 0 # of some version of LLVM
		fi
	done
	[ "$1" = windows.h ] && [ -e "${MINGW_HEADERS:-/usr/share/mingw-w64/include}/windows.h" ] && return 0
	[ "$1" = "wine64|wine" ] && [ -e /usr/lib/wine/wine64 ] && return 0
	[ "$1" = liberation-fonts ] && [ -e /usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf ] && return 0
	[ "$1" = initdb ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && return 0
	return 1
}

missing=
for entry in $need; do
	have "${entry%%:*}" || missing="$missing ${entry##*:}"
done

install() {
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "error: missing:$missing" >&2
		echo "hint: these are Debian's package names; install their like with your package manager" >&2
		exit 1
	fi
	sudo=
	if [ "$(id -u)" != 0 ]; then
		sudo=sudo
	fi
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q
	# shellcheck disable=SC2086 # a list of words
	$sudo apt-get install -q -y --no-install-recommends $missing
}
[ -z "$missing" ] || install

# fetch_axe gets axe-core, which judges how pages are for people who see or hear them
# differently; internal/testbrowser looks for it there, and at its checksum.
fetch_axe() {
	version=4.10.2 sum=b511cd9dec01c76f4b2ad1723b66b6db37d4c2eb4ed199076e1829d9ee7b75e3
	folder=${XDG_CACHE_HOME:-$HOME/.cache}/firstday file=axe-core-$version.js
	if echo "$sum  $folder/$file" | sha256sum --check --status 2>/dev/null; then
		return
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "axe-core@$version" >/dev/null && tar -xzf "axe-core-$version.tgz" package/axe.min.js)
	if ! echo "$sum  $work/package/axe.min.js" | sha256sum --check --status; then
		echo "error: axe-core $version is not what it was" >&2
		exit 1
	fi
	mkdir -p "$folder"
	mv "$work/package/axe.min.js" "$folder/$file"
}
[ "$1" != test ] || fetch_axe
