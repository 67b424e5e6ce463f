#!/bin/sh
# The main job, from nothing: a kit for a sample organisation, for Windows and
# macOS, signed by a throw-away identity, checked by us and by tools that are not
# ours.
set -eu
cd "$(dirname "$0")/.."
firstday=$PWD/bin/firstday
sevenzip=$(command -v 7zz || command -v 7z)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

rm -rf demo
mkdir -p demo/tree demo/mac
cp -R scripts/demo/. demo/
umask 077
openssl rand -hex 32 >demo/connect.key
openssl rand -hex 16 >demo/wifi.key
umask 022
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/O=Example Works/CN=Example Works CA" \
	-keyout /dev/null -out demo/ca.pem 2>/dev/null

say "Building and signing a kit for $(sed -n 's/^ *name: *//p' demo/firstday.yaml | head -n 1)"
"$firstday" build -c demo/firstday.yaml -o demo/kit
package=$(ls demo/kit/*.ppkg)
installer=$(ls demo/kit/*.pkg)
catalog=${package%.ppkg}.cat

say "Verifying it with firstday"
"$firstday" verify --root demo/kit/signer.pem demo/kit

say "Verifying it with tools that are not ours"
file "$package" | tee demo/file.log
grep -q 'Windows provisioning package' demo/file.log
wimlib-imagex verify "$package" >demo/wimlib.log 2>&1 || { cat demo/wimlib.log; exit 1; }
echo "wimlib-imagex: $package was successfully verified"
"$sevenzip" t "$package" | grep -E '^(Everything|Type|Method)'
wimlib-imagex apply "$package" demo/tree >/dev/null 2>&1
(cd demo/kit && sha256sum -c SHA256SUMS)
openssl cms -verify -binary -inform DER -in demo/kit/SHA256SUMS.p7s -content demo/kit/SHA256SUMS \
	-CAfile demo/kit/signer.pem -purpose any -out /dev/null
osslsigncode verify -CAfile demo/kit/signer.pem -in "$catalog" >demo/osslsigncode.log || { cat demo/osslsigncode.log; exit 1; }
echo "osslsigncode: $catalog: $(grep -E '^(Signature verification|Succeeded)' demo/osslsigncode.log | tail -n 1)"
find demo/tree -name 'firstday-agent-*.exe' | while read -r agent; do
	osslsigncode verify -CAfile demo/kit/signer.pem -in "$agent" >demo/osslsigncode.log || { cat demo/osslsigncode.log; exit 1; }
	echo "osslsigncode: $(basename "$agent"): $(grep -E '^(Signature verification|Succeeded)' demo/osslsigncode.log | tail -n 1)"
done

"$sevenzip" t "$installer" | grep -E '^(Everything|Type|Method)'
"$sevenzip" x -y -odemo/mac "$installer" >/dev/null
echo "cpio: what $installer installs"
gzip -dc demo/mac/*.pkg/Payload | cpio -itv --quiet

say "What is in them"
"$firstday" inspect "$package"
"$firstday" inspect "$installer"

say "Done: demo/kit"
ls -l demo/kit
cat <<EOF

What to do next
  1. firstday init                 writes a firstday.yaml to fill in (bin/firstday here)
  2. firstday build                makes your own kit
  3. copy the .ppkg and the .cat into the root of a USB stick, insert it at the
     first screen of a new laptop, and wait: demo/kit/INSTRUCTIONS.md
  4. install the .pkg on Macs:     demo/kit/INSTRUCTIONS-Mac.md
This kit is signed by a throw-away identity. It is for looking at, not for laptops.
EOF
