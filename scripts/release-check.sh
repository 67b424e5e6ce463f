#!/usr/bin/env bash
# Makes a release of the last commit, in a clone, and asks those who will take
# it: dpkg, bsdtar, man, shells, systemd. Publishes nothing.
# usage: release-check.sh [DIST]   looks at a release that was made already
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '\n== %s\n' "$*"; }
fail() { echo "error: $*" >&2; exit 1; }

if [ $# -gt 0 ]; then
	dist=$(realpath "$1")
else
	say "goreleaser release --snapshot"
	goreleaser=$(go tool -modfile=tools/release/go.mod -n goreleaser)
	git clone -q --no-hardlinks . "$work/clone"
	(cd "$work/clone" && "$goreleaser" release --snapshot --clean)
	dist=$work/clone/dist
fi
say "dist"
find "$dist" -maxdepth 1 -type f -printf '%10s  %f\n' | sort -k2

say "checksums"
(cd "$dist" && sha256sum --quiet --check SHA256SUMS)

# carries LIST ARCHIVE fails unless the archive has all that goes into kits.
carries() {
	for file in firstday-agent-{windows-{amd64,arm64}.exe,{darwin,linux}-{amd64,arm64}} firstday-credprov-{amd64,arm64}.dll \
		FirstdayLogin.bundle/Contents/{Info.plist,MacOS/FirstdayLogin,Resources/index.html}; do
		grep -qE "(^|/)agents/$file\$" "$1" || fail "$2 lacks $file"
	done
}

say "archives"
for archive in "$dist"/firstday_*.tar.gz "$dist"/firstday_*.zip; do
	bsdtar -tf "$archive" >"$work/list"
	for file in LICENSE README.md firstday.schema.json man/firstday-build.1.gz completions/firstday.zsh; do
		grep -qx "$file" "$work/list" || fail "$archive lacks $file"
	done
	carries "$work/list" "$archive"
	echo "$(wc -l <"$work/list") files in ${archive##*/}"
done

say "Debian packages"
for deb in "$dist"/firstday_*.deb; do
	dpkg-deb -c "$deb" >"$work/list"
	carries "$work/list" "$deb"
done
arch=$(dpkg --print-architecture)
packages=("$dist"/firstday_*_"$arch".deb "$dist"/firstday-directory_*_all.deb)
for deb in "${packages[@]}"; do
	dpkg-deb -I "$deb"
	dpkg-deb -c "$deb" >"$work/list"
	grep -v '^[^ ]* root/root' "$work/list" && fail "$deb has files that are not root's"
	grep -v 'man1/' "$work/list"
done
root=$work/root
mkdir -p "$root/var/lib/dpkg/"{info,updates}
touch "$root/var/lib/dpkg/"{status,available}
as_root=()
[ "$(id -u)" = 0 ] || as_root=(fakeroot)
"${as_root[@]}" dpkg --root="$root" --force-script-chrootless --force-not-root --log=/dev/null \
	--install "${packages[@]}"

say "what is installed"
firstday=$root/usr/bin/firstday
"$firstday" --version
(cd "$work" && printf 'version: 1\norganisation: {name: Acme}\ndirectory: {url: "https://directory.acme.example"}\nconnectKey: {env: KEY}\n' >firstday.yaml &&
	KEY=fdk_of-a-release-check "$firstday" build --quiet -o kit)
"$firstday" verify "$work/kit"
[ "$(stat -c %a "$root/etc/default/firstday-directory")" = 600 ] || fail "the service's configuration is open to all"
for page in "$root"/usr/share/man/man1/*.1.gz; do
	MANWIDTH=100 man --warnings=w -l "$page" >"$work/page" 2>"$work/warnings" || fail "man cannot show $page"
	[ ! -s "$work/warnings" ] || fail "$page: $(cat "$work/warnings")"
	grep -q '^NAME' "$work/page" || fail "$page has no name"
done
echo "$(find "$root/usr/share/man" -name '*.gz' | wc -l) manual pages"
bash -n "$root/usr/share/bash-completion/completions/firstday"
if command -v zsh >/dev/null; then zsh -n "$root/usr/share/zsh/vendor-completions/_firstday"; fi
if command -v fish >/dev/null; then fish -n "$root/usr/share/fish/vendor_completions.d/firstday.fish"; fi
unit=$work/firstday-directory.service # with the program where it lies here
sed "s|/usr/bin/firstday|$firstday|" "$root/usr/lib/systemd/system/firstday-directory.service" >"$unit"
systemd-analyze verify --man=no "$unit"
systemd-analyze security --offline=true --threshold=25 --no-pager "$unit" | tail -n 1
"${as_root[@]}" dpkg --root="$root" --force-script-chrootless --force-not-root --log=/dev/null --remove firstday-directory firstday
[ ! -e "$firstday" ] || fail "the package leaves its program"

say "RPM packages"
for rpm in "$dist"/*.rpm; do
	bsdtar -tf "$rpm" >"$work/list"
	case $rpm in */firstday-[0-9]*) carries "$work/list" "$rpm" ;; esac
	echo "$(wc -l <"$work/list") files in ${rpm##*/}"
done
bsdtar -xOf "$dist"/firstday-[0-9]*."$(uname -m)".rpm "*usr/bin/firstday" | cmp - <(dpkg-deb --fsys-tarfile "$dist"/firstday_*_"$arch".deb | tar -xO ./usr/bin/firstday) ||
	fail "the RPM has another program than the Debian package"

say "SBOMs"
for sbom in "$dist"/*.cdx.json; do
	grep -q '"bomFormat": "CycloneDX"' "$sbom" || fail "$sbom is no SBOM"
	echo "$(grep -c '"bom-ref"' "$sbom") components in ${sbom##*/}"
done
say "all is well"
