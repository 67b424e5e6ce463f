#!/bin/sh
# The main job, from nothing: a directory, a kit for a sample organisation, for
# Windows and macOS, signed by a throw-away identity, checked by us and by tools
# that are not ours; then the first day of its employees on a simulated laptop and a
# simulated Mac.
#
# usage: demo.sh [--auto]    --auto ends where a person would try it by hand
set -eu
cd "$(dirname "$0")/.."
firstday=$PWD/bin/firstday
sevenzip=$(command -v 7zz || command -v 7z)
auto=${1:-}
[ -t 0 ] && [ -t 1 ] || auto=--auto

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# fails COMMAND… is for what must be refused.
fails() {
	if "$@"; then
		echo "error: this should have been refused: $*" >&2
		exit 1
	fi
}

# secret FILE takes the password out of what `firstday user add --json` wrote.
secret() { sed -n 's/^ *"password": "\(.*\)".*/\1/p' "$1"; }

rm -rf demo
mkdir -p demo/tree demo/mac demo/people
cp -R scripts/demo/. demo/
umask 077
openssl rand -hex 16 >demo/wifi.key
umask 022
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/O=Example Works/CN=Example Works CA" \
	-keyout /dev/null -out demo/ca.pem 2>/dev/null

organisation=$(sed -n 's/^ *name: *//p' demo/firstday.yaml | head -n 1)
export XDG_CONFIG_HOME=$PWD/demo/home HOME=$PWD/demo/home # nobody's logins are touched

say "A directory for $organisation"
"$firstday" serve --organisation "$organisation" --data demo/directory --name 127.0.0.1 --listen 127.0.0.1:0 --json \
	>demo/directory.json 2>demo/directory.log &
serving=$!
trap 'kill $serving 2>/dev/null; wait $serving 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
for _ in $(seq 300); do
	[ -s demo/directory.json ] && break
	kill -0 $serving || { cat demo/directory.log; exit 1; }
	sleep 0.1
done
url=$(sed -n 's/^ *"url": "\(.*\)".*/\1/p' demo/directory.json)
pin=$(sed -n 's/^ *"pin": "\(.*\)".*/\1/p' demo/directory.json)
sed -n -e 's/^ *"console": "\(.*\)".*/its console: \1/p' -e 's/^ *"ownerLink": "\(.*\)".*/its first owner joins by \1 (once, within the hour)/p' demo/directory.json
sed -i.example -e "s|^  url: https://directory.*|  url: $url|" -e "s|^  pin: .*|  pin: $pin|" demo/firstday.yaml
"$firstday" login --file demo/directory/owner.json
"$firstday" settings recovery-key demo/recovery.key
umask 077
for first in Ann Bob Carl; do
	name=$(echo $first | tr A-Z a-z)
	"$firstday" user add "$name" --email "$name@example.com" --full-name "$first Example" --json >"demo/people/$name.json"
	secret "demo/people/$name.json" >"demo/people/$name.temporary"
	openssl rand -base64 12 >"demo/people/$name.password"
	openssl rand -base64 12 >"demo/people/$name.device"
done
umask 022
"$firstday" user list

say "Building and signing a kit for $organisation"
"$firstday" build -c demo/firstday.yaml -o demo/kit --mint --mint-uses 10 --mint-batch PO-4711
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

# signin NAME EXPECT is a scene of a script, in which somebody signs in.
signin() {
	cat <<-EOF
	- signIn:
	    name: $1
	    password: {file: people/$1.temporary}
	    newPassword: {file: people/$1.password}
	    authenticator: people/$1.totp
	    devicePassword: {file: people/$1.device}
	  expect: $2
	EOF
}

say "Ann's first day: a laptop out of its box, the stick, the sign-in"
{ signin ann done; echo "- restart: true"; } >demo/ann.yaml
"$firstday" simulate "$package" --root demo/kit/signer.pem --sandbox demo/laptop --device "serial=5CG1234XYZ,model=Latitude 7450" --script demo/ann.yaml

say "Bob tries Ann's laptop"
signin bob hidden >demo/bob.yaml
"$firstday" simulate --sandbox demo/laptop --script demo/bob.yaml

say "A Mac on which somebody has made an account named carl; Carl is refused, Bob gets his own"
{ echo "- account: carl"; signin carl account_exists; signin bob done; } >demo/mac.yaml
"$firstday" simulate "$installer" --root demo/kit/signer.pem --sandbox demo/macbook --device "serial=C02XK0AAJG5H" --script demo/mac.yaml

say "What the directory knows"
"$firstday" device list
id=$("$firstday" device list | sed -n 's/ .*serial 5CG1234XYZ .*//p')
"$firstday" device show "$id" | tee demo/ann.txt
grep -q 'ann.*bound' demo/ann.txt
grep -q 'PO-4711' demo/ann.txt
"$firstday" device reveal "$id" --identity demo/recovery.key --reason "make demo" >demo/breakglass.txt
echo "the laptop's break-glass password is in escrow, and opens with the recovery key: $(wc -l <demo/breakglass.txt) line, not shown here"
"$firstday" audit export >demo/audit.jsonl
"$firstday" audit verify demo/audit.jsonl
fails "$firstday" simulate -q "$package" "$package" 2>demo/refused.txt
cat demo/refused.txt

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
[ "$auto" = --auto ] && exit 0

trap : INT # ends what runs, and then this script as it should
say "Try it by hand: a laptop that waits for you"
"$firstday" user add dora --email dora@example.com --full-name "Dora Example"
echo "Open the address below in a browser here, press the button, and sign in as dora. Ctrl-C ends it."
"$firstday" simulate -q "$package" --root demo/kit/signer.pem --device "model=Latitude 7450" --screen || [ $? = 130 ]
