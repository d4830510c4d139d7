#!/bin/sh
# The Debian packages that tests marked `debian` need. Root, Debian or Ubuntu.
# Nothing that comes with them is started: not now, not at the next boot, and no cluster is made.
set -eu

wanted="openssh-client openssh-server pgbackrest postgresql systemd"
there() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
  echo "system-deps: expected Debian or Ubuntu; elsewhere install by hand: $wanted" >&2; exit 1; }
missing=""
for package in $wanted; do there "$package" || missing="$missing $package"; done
[ -n "$missing" ] || { echo "system-deps: all there: $wanted"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "system-deps: root is needed to install:$missing" >&2; exit 1; }

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
kept=$(mktemp -d)
give_back() {
  if [ -e "$kept/policy" ]; then mv -f "$kept/policy" "$policy"; else rm -f "$policy"; fi
  [ ! -e "$kept/clusters" ] || mv -f "$kept/clusters" "$clusters"
  rm -rf "$kept"
}
trap give_back EXIT
trap 'exit 1' HUP INT TERM
[ ! -e "$policy" ] || cp -p "$policy" "$kept/policy"
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends --no-upgrade "$@" >/dev/null; }
apt-get update -qq
case "$missing" in *" postgresql"*)
  install postgresql-common
  cp -p "$clusters" "$kept/clusters"
  echo 'create_main_cluster = false' >> "$clusters" ;;
esac
# shellcheck disable=SC2086 # one word a package
install $missing
if command -v systemctl >/dev/null; then
  case "$missing" in *openssh-server*) systemctl -q disable ssh.service ssh.socket 2>/dev/null || true ;; esac
  case "$missing" in *" postgresql"*) systemctl -q disable postgresql.service 2>/dev/null || true ;; esac
fi
echo "system-deps: installed$missing"
