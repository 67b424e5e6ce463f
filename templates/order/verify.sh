#!/bin/sh
# Says whether this bundle is as its signer made it.
#
#     sh verify.sh FINGERPRINT
#
# FINGERPRINT is the SHA-256 of the signer's certificate. Have it told by your
# customer in another way than this bundle came: by telephone, or printed on the
# purchase order. Whoever changed the bundle could have changed this script with it.
# It cannot vouch for itself; if that matters to you, use a copy that you have from
# elsewhere, or type the commands that stand in INSTRUCTIONS.html.
#
# It needs openssl, and one of sha256sum, shasum and openssl for checksums. It ends
# with 0: all is as it was made; 1: it is not; 2: it could not be checked.
set -u
LC_ALL=C
export LC_ALL

stop() {
	echo "error: $1" >&2
	exit 2
}

bad=0
failed() {
	echo "FAILED  $1: $2"
	bad=$((bad + 1))
}

if [ "$#" -ne 1 ]; then
	echo "usage: sh verify.sh FINGERPRINT" >&2
	echo "hint: your customer tells you the fingerprint; do not take it from this bundle" >&2
	exit 2
fi
want=$(printf '%s' "$1" | tr 'A-F' 'a-f' | tr -d ': -')
case $want in
*[!0-9a-f]*) stop "the fingerprint has characters that are no hexadecimal digits" ;;
esac
[ "${#want}" -eq 64 ] || stop "the fingerprint has ${#want} digits; it must have 64"

cd "$(dirname "$0")" || exit 2
command -v openssl >/dev/null 2>&1 || stop "openssl is not installed"
if command -v sha256sum >/dev/null 2>&1; then
	sum() { sha256sum <"$1" | cut -c 1-64; }
elif command -v shasum >/dev/null 2>&1; then
	sum() { shasum -a 256 <"$1" | cut -c 1-64; }
else
	sum() { openssl dgst -sha256 -r <"$1" | cut -c 1-64; }
fi

work=$(mktemp -d) || stop "no temporary folder can be made"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for name in SHA256SUMS SHA256SUMS.p7s; do
	if [ -h "$name" ] || [ ! -f "$name" ]; then
		failed "$name" "it is missing, or not a regular file"
		exit 1
	fi
	cp "$name" "$work/$name" || stop "$name cannot be read"
done

# Who signed is compared with the fingerprint. -noverify: no other trust is asked for.
if ! openssl cms -verify -binary -inform DER -in "$work/SHA256SUMS.p7s" -content "$work/SHA256SUMS" \
	-noverify -signer "$work/signer.pem" -certsout "$work/embedded.pem" -out "$work/content" 2>"$work/error"; then
	failed SHA256SUMS "its signature is bad"
	cat "$work/error" >&2
	exit 1
fi
if [ "$(grep -c 'BEGIN CERTIFICATE' "$work/signer.pem")" != 1 ]; then
	failed SHA256SUMS.p7s "it has not one signer"
	exit 1
fi
got=$(openssl x509 -in "$work/signer.pem" -noout -fingerprint -sha256 | sed 's/.*=//' | tr 'A-F' 'a-f' | tr -d ':')
if [ "$got" != "$want" ]; then
	failed SHA256SUMS "it was signed by another one, whose fingerprint is $got"
	exit 1
fi

# What is listed must be there as it was.
: >"$work/names"
files=0
while IFS= read -r line; do
	listed=${line%%  *}
	name=${line#*  }
	case $name in
	"" | *\\* | /* | ../* | */../* | */..) failed "$name" "it is not the name of a file in the bundle" && continue ;;
	esac
	printf './%s\n' "$name" >>"$work/names"
	files=$((files + 1))
	if [ -h "$name" ] || [ -h "$(dirname "./$name")" ] || [ ! -f "$name" ]; then
		failed "$name" "it is missing, or not a regular file"
	elif [ "$(sum "$name")" != "$listed" ]; then
		failed "$name" "it has been changed"
	fi
done <"$work/SHA256SUMS"

# The certificates in the signature are those that the signer listed: the signature
# of the checksums does not cover them.
certificates() {
	awk '/BEGIN CERTIFICATE/ { text = ""; on = 1; next } /END CERTIFICATE/ { print text; on = 0 } on { text = text $0 }' "$1"
}
if [ -f signer.pem ] && [ ! -h signer.pem ]; then
	certificates signer.pem >"$work/known"
	if [ ! -s "$work/known" ] || certificates "$work/embedded.pem" | grep -Fqvx -f "$work/known"; then
		failed SHA256SUMS.p7s "it holds a certificate that is not in signer.pem"
	fi
fi

# What is there must be listed.
printf '%s\n' ./SHA256SUMS ./SHA256SUMS.p7s >>"$work/names"
find . ! -type d >"$work/found"
find . -type d ! -name . ! -path ./kit >>"$work/found"
while IFS= read -r name; do
	grep -Fqx -e "$name" "$work/names" || failed "${name#./}" "it does not belong to the bundle"
done <"$work/found"

if [ "$bad" -ne 0 ]; then
	echo "This bundle is not as it was made. Do not use it." >&2
	exit 1
fi
[ "$files" -gt 0 ] || stop "SHA256SUMS lists nothing"
echo "ok      $files files are as their signer made them: $got"
