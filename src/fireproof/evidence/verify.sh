#!/bin/sh
# Checks a Fireproof bundle with a POSIX shell, coreutils and openssl, and nothing else.
#
#   sh verify.sh KEY.pem [BUNDLE]
#
# KEY.pem is the signer's public key, got from the signer and not from this bundle.
# BUNDLE is the folder to check; without it, the folder this script lies in.
# Exit: 0 everything checked holds; 5 something does not, or could not be checked; 2 wrong call.
set -u
LC_ALL=C
export LC_ALL
unset CDPATH
newline='
'

bad=0
wrong() {
  bad=$((bad + 1))
  printf 'WRONG  %s\n' "$1"
}
fine() { printf 'ok     %s\n' "$1"; }
give_up() {
  printf 'WRONG  %s\n\nDo not rely on this bundle: it could not be checked.\n' "$1"
  exit 5
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: sh verify.sh KEY.pem [BUNDLE]" >&2
  exit 2
fi
for tool in base64 cat comm cut mktemp openssl printf realpath rm sha256sum sort tr wc; do
  command -v "$tool" >/dev/null 2>&1 || give_up "$tool is missing on this machine"
done
key=$(realpath -- "$1" 2>/dev/null) && [ -f "$key" ] && [ -r "$key" ] ||
  give_up "public key cannot be read: $1"
case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
cd -- "${2:-$here}" || give_up "bundle cannot be entered: ${2:-$here}"
bundle=$(pwd -P)
case $key in
"$bundle"/*) give_up "that key lies in the bundle it should vouch for; get it from the signer" ;;
esac
work=$(mktemp -d) || give_up "no temporary folder"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 5' HUP INT TERM

# 1. What lies here: plain files in folders, and nothing else. Nothing is followed or opened.
walk() { # prefix; a subshell per folder keeps its variables apart
  none=1
  for path in "$1"* "$1".[!.]* "$1"..?*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    none=0
    case $path in
    *"$newline"*) printf 'X %s\n' "a name with a line break: $(printf %s "$path" | tr '\n' '?')" ;;
    *)
      if [ -L "$path" ]; then
        printf 'X %s\n' "$path: a symlink"
      elif [ -d "$path" ]; then
        (walk "$path/")
      elif [ -f "$path" ]; then
        printf 'F %s\n' "$path"
      else
        printf 'X %s\n' "$path: neither file nor folder"
      fi
      ;;
    esac
  done
  [ "$none" = 0 ] || printf 'X %s\n' "$1: an empty folder"
}
walk "" >"$work/walk"
: >"$work/found"
while IFS= read -r line; do
  case $line in
  "X "*) wrong "${line#X }" ;;
  "F "*) printf '%s\n' "${line#F }" >>"$work/found" ;;
  esac
done <"$work/walk"

# 2. What should lie here. A manifest writes '%' in a name as '%25'.
plain_names() {
  while IFS= read -r line; do
    done_part=
    while :; do
      case $line in
      *%25*)
        done_part=$done_part${line%%"%25"*}%
        line=${line#*"%25"}
        ;;
      *) break ;;
      esac
    done
    printf '%s\n' "$done_part$line"
  done
}
: >"$work/sums"
for manifest in manifest-sha256.txt tagmanifest-sha256.txt; do
  if [ -f "$manifest" ] && [ ! -L "$manifest" ]; then
    plain_names <"$manifest" >>"$work/sums"
  else
    wrong "$manifest: missing"
  fi
done
{
  cut -c 67- <"$work/sums"
  for name in tagmanifest-sha256.txt plan.sigstore.json run.sigstore.json test-result.sigstore.json; do
    printf '%s\n' "$name"
  done
} | sort >"$work/listed"
sort "$work/found" >"$work/there"
comm -13 "$work/listed" "$work/there" >"$work/unexpected"
comm -23 "$work/listed" "$work/there" >"$work/missing"
while IFS= read -r name; do wrong "$name: unexpected; no manifest lists it"; done <"$work/unexpected"
while IFS= read -r name; do wrong "$name: missing, or not a path inside the bundle"; done <"$work/missing"
[ "$bad" = 0 ] && fine "structure: every file is listed, and nothing else is here"

# 3. Digests. Only plain files at paths inside the bundle are opened; the others are named above.
for manifest in manifest-sha256.txt tagmanifest-sha256.txt; do
  [ -f "$manifest" ] && [ ! -L "$manifest" ] || continue
  before=$bad
  skipped=0
  plain_names <"$manifest" >"$work/lines"
  while IFS= read -r line; do
    name=${line#*"  "}
    case "/$name/" in
    */../* | *//*) skipped=1 ;;
    *) if [ -f "$name" ] && [ ! -L "$name" ]; then printf '%s\n' "$line"; else skipped=1; fi ;;
    esac
  done <"$work/lines" >"$work/check"
  if [ ! -s "$work/check" ]; then
    wrong "$manifest: lists nothing that is here"
  elif ! sha256sum --check --strict --quiet "$work/check" >"$work/out" 2>"$work/err"; then
    while IFS= read -r line; do wrong "$line (listed in $manifest)"; done <"$work/out"
    [ "$bad" != "$before" ] || wrong "$manifest: $(cat "$work/err")"
  fi
  if [ "$bad" = "$before" ] && [ "$skipped" = 0 ]; then
    fine "digests: sha256 of every file in $manifest ($(($(wc -l <"$work/check"))) files)"
  fi
done

# 4. Signatures. An envelope has exactly one spelling, so it is taken apart, put together again
# with the key's own id, and must come out the same.
pem=$(openssl pkey -pubin -in "$key" -pubout 2>/dev/null) ||
  give_up "not a PEM public key: $1"
key_id=$(printf '{"keytype":"ecdsa","keyval":{"public":"%s\n"},"scheme":"ecdsa-sha2-nistp256"}' \
  "$pem" | sha256sum | cut -c 1-64)
type=application/vnd.in-toto+json
media=application/vnd.dev.sigstore.bundle.v0.3+json

envelope() { # file, predicate type, subject, sha256 of the subject
  [ -f "$1" ] && [ ! -L "$1" ] || return 0 # named above
  payload=$(cut -d '"' -f 6 <"$1" | tr -d '\000')
  keyid=$(cut -d '"' -f 16 <"$1" | tr -d '\000')
  sig=$(cut -d '"' -f 20 <"$1" | tr -d '\000')
  if [ "$keyid" != "$key_id" ]; then
    wrong "$1: not signed by this key"
    return 0
  fi
  printf '{"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"keyid":"%s","sig":"%s"}]},"mediaType":"%s","verificationMaterial":{"publicKey":{"hint":"%s"}}}' \
    "$payload" "$type" "$key_id" "$sig" "$media" "$key_id" | sha256sum >"$work/again"
  if [ "$(sha256sum <"$1")" != "$(cat "$work/again")" ]; then
    wrong "$1: not in its one canonical form"
    return 0
  fi
  printf %s "$payload" | base64 -d >"$work/payload" 2>/dev/null
  printf %s "$sig" | base64 -d >"$work/sig" 2>/dev/null
  if [ "$(base64 -w 0 <"$work/payload")" != "$payload" ] || [ "$(base64 -w 0 <"$work/sig")" != "$sig" ]; then
    wrong "$1: base64 is not strict"
    return 0
  fi
  # DSSE: DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload; lengths count bytes.
  {
    printf 'DSSEv1 %d %s %d ' "$(($(printf %s "$type" | wc -c)))" "$type" "$(($(wc -c <"$work/payload")))"
    cat "$work/payload"
  } >"$work/pae"
  if ! openssl dgst -sha256 -verify "$key" -signature "$work/sig" "$work/pae" >/dev/null 2>&1; then
    wrong "$1: the signature does not hold under this key"
    return 0
  fi
  case $(cat "$work/payload") in
  '{"_type":"https://in-toto.io/Statement/v1","predicate":'*'"predicateType":"'"$2"'","subject":[{"digest":{"sha256":"'"$4"'"},"name":"'"$3"'"}'*)
    fine "signature: $1 is signed by this key, for this $3"
    ;;
  *) wrong "$1: signed by this key, but for another $3 or as another kind of statement" ;;
  esac
}
sum_of() {
  if [ -f "$1" ] && [ ! -L "$1" ]; then sha256sum <"$1" | cut -c 1-64; else echo none; fi
}
identity=$(sum_of tagmanifest-sha256.txt)
envelope plan.sigstore.json https://fireproof.dev/drill-plan/v1 plan.json "$(sum_of plan.json)"
envelope run.sigstore.json https://fireproof.dev/drill-run/v1 tagmanifest-sha256.txt "$identity"
envelope test-result.sigstore.json https://in-toto.io/attestation/test-result/v0.1 \
  tagmanifest-sha256.txt "$identity"

echo
echo "bundle    $bundle"
echo "identity  $identity (sha256 of tagmanifest-sha256.txt)"
echo "key       $key_id"
if [ "$bad" != 0 ]; then
  echo
  echo "$bad wrong. Do not rely on this bundle."
  exit 5
fi
cat <<'END'

Checked: no file was changed, added, removed or renamed since it was signed with this key.
Not checked here; 'fireproof verify' does: that plan, run and journal are about one run, that the
journal's chain is whole, and that every number and the verdict follow from the raw samples.
This script came with the bundle: to be independent of it, run your own copy with the bundle's
folder as second argument.
END
