# On the target, by /bin/sh: arm an expiry, call it off, or look at it. POSIX shell and /proc only.
# Set in front of this: verb there unit after_s undo_b64 run_b64.
# Whoever makes the folder "taken" first has the fault: the expiry to undo it, or the undo to call the
# expiry off. Never both.
set -eu
umask 077
fail() { echo "$1" >&2; exit 1; }
# Seconds since boot, with those asleep; nobody sets this clock.
now() { cut -d. -f1 /proc/uptime; }
started() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null || true; }
lives() {
  if [ -e "$there/unit" ]; then
    for kind in timer service; do
      for bus in --system --user; do systemctl $bus -q is-active "$unit.$kind" 2>/dev/null && return 0; done
    done
    return 1
  fi
  [ -s "$there/pid" ] || return 1
  read -r pid since < "$there/pid"
  [ -n "$since" ] && [ "$(started "$pid")" = "$since" ]
}

arm() {
  mkdir "$there" 2>/dev/null || fail "$there is there already, or cannot be made"
  printf %s "$undo_b64" | base64 -d > "$there/undo"
  printf %s "$run_b64" | base64 -d > "$there/run"
  cat > "$there/keeper" <<'KEEPER'
there=$1; at=$2
while [ "$at" -gt 0 ] && [ "$(cut -d. -f1 /proc/uptime)" -lt "$at" ]; do
  [ -d "$there" ] || exit 0
  sleep 1
done
mkdir "$there/taken" 2>/dev/null || exit 0
touch "$there/fired"
code=0
/bin/sh "$there/run" > "$there/said" 2>&1 < /dev/null || code=$?
echo "$code" > "$there/code.new"
mv "$there/code.new" "$there/code"
KEEPER
  chmod 700 "$there"/*
  if [ -d /run/systemd/system ] && command -v systemd-run > /dev/null; then
    for bus in --system --user; do
      # A user's own timer ends with the login unless they linger: then the sleeper is better.
      [ $bus = --system ] || [ -e "/var/lib/systemd/linger/$(id -un)" ] || continue
      touch "$there/unit"
      systemd-run $bus --quiet --collect --no-ask-password --unit="$unit" --on-active="$after_s" \
        --timer-property=AccuracySec=100ms /bin/sh "$there/keeper" "$there" 0 2> "$there/why" \
        < /dev/null && lives && { echo "armed: systemd timer $unit"; return; }
      rm -f "$there/unit"
    done
  fi
  at=$(($(now) + after_s + 1))
  # A session of its own: the end of the connection is not its end.
  setsid /bin/sh -c 'there=$1 at=$2
    read -r line < "/proc/$$/stat"
    set -- $line
    echo "$$ ${22}" > "$there/pid.new"
    mv "$there/pid.new" "$there/pid"
    exec /bin/sh "$there/keeper" "$there" "$at"' sh "$there" "$at" > /dev/null 2>&1 < /dev/null &
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    lives && { echo "armed: sleeper $(cut -d' ' -f1 "$there/pid")"; return; }
    sleep 0.1
  done
  fail "the expiry did not start"
}

stop_keeper() {
  if [ -e "$there/unit" ]; then
    for bus in --system --user; do systemctl $bus -q stop "$unit.timer" 2>/dev/null || true; done
  elif lives; then
    read -r pid _ < "$there/pid"
    kill -9 "$pid" 2>/dev/null || true  # a sleep of at most a second outlives it
  fi
}

call_off() {
  [ -d "$there" ] || { echo none; return; }
  if mkdir "$there/taken" 2>/dev/null; then
    stop_keeper
    rm -rf "$there"
    echo "called off"
    return
  fi
  # From "taken" to "fired" the expiry needs an instant; a call-off that was cut off, for ever.
  tries=0
  while [ ! -e "$there/code" ] && lives && [ $tries -lt 60 ]; do
    [ -e "$there/fired" ] || [ $tries -lt 3 ] || { stop_keeper; break; }
    tries=$((tries + 1))
    sleep 1
  done
  [ -e "$there/code" ] || [ ! -e "$there/fired" ] || ! lives || fail "the expiry is still at its undo"
  if [ -e "$there/code" ]; then
    said="had run its undo: exit code $(cat "$there/code")"
  elif [ -e "$there/fired" ]; then
    said="had begun its undo and was ended"
  else
    said="called off"
  fi
  rm -rf "$there"
  echo "$said"
}

look() {
  if [ ! -d "$there" ]; then echo none
  elif [ -e "$there/code" ]; then echo "has run its undo: exit code $(cat "$there/code")"
  elif [ -e "$there/fired" ]; then echo "is at its undo"
  elif lives; then echo armed
  else echo "is set up and nobody keeps it"; fi
}

case $verb in arm) arm ;; call-off) call_off ;; look) look ;; *) fail "no such verb: $verb" ;; esac
