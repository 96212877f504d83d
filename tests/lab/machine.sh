# shellcheck shell=bash
# What the two kinds of machine, uml and qemu, have in common: the options, a folder per run, the command's output and exit
# status, the deadline, and the clean end. Sourced by them after packages.sh.

# Sets mem, seconds, out, tty, docker, peers, kernel, icount, machine_with and machine_command from the arguments.
# shellcheck disable=SC2034 # the machines read them
machine_options() {
  mem=512M seconds=120 out='' kernel='' tty='' docker='' peers='' icount='' machine_with=()
  while [ $# -gt 0 ]; do
    case $1 in
      --mem | --seconds | --out | --kernel)
        [ $# -ge 2 ] || machine_usage "$1 needs a value"
        declare -g "${1#--}=$2"
        shift 2
        ;;
      --with)
        [ $# -ge 2 ] || machine_usage "$1 needs a value"
        machine_with+=("$2")
        shift 2
        ;;
      --tty) tty=1; shift ;;
      --docker) docker=1; shift ;;
      --peers) peers=1; shift ;;
      --icount) icount=1; shift ;;
      --) shift; break ;;
      -*) machine_usage "unknown option $1" ;;
      *) break ;;
    esac
  done
  [ $# -gt 0 ] || machine_usage "no command given"
  case $seconds in '' | *[!0-9]*) machine_usage "--seconds takes a whole number, not '$seconds'" ;; esac
  case $mem in *[0-9]M | *[0-9]G) ;; *) machine_usage "--mem takes a size like 512M, not '$mem'" ;; esac
  if [ -n "$out" ]; then mkdir -p "$out" && out=$(cd "$out" && pwd -P) || exit 125; fi
  machine_command=("$@")
}
machine_usage() {
  lab_say "$1"
  sed -n '/^#  *tests\/lab\//s/^# *//p' "$0" >&2
  exit 64
}

# Makes $work, and sees to it that it and the machine go away at the end, whichever end it is.
machine_folder() {
  work=$(mktemp -d /tmp/ipvsd-lab.XXXXXX) || exit 125
  nonce="lab-$$-$RANDOM$RANDOM" machine='' filter='' saved=''
  trap machine_end EXIT
  trap 'lab_say interrupted; exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}
# Every process of the machine is in the session that it leads. A kind word first: UML then ends its guest's processes itself.
machine_kill() {
  kill -TERM "$machine" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$machine" 2>/dev/null || break; sleep 0.1; done
  kill -KILL -- "-$machine" 2>/dev/null
}
machine_end() {
  [ -n "$machine" ] && machine_kill
  [ -n "$filter" ] && kill "$filter" 2>/dev/null
  [ -n "$saved" ] && stty "$saved" </dev/tty
  rm -rf "$work"
}

# The caller's environment, as far as the command is to have it, as lines of shell.
machine_environment() {
  local name
  for name in $(compgen -e); do
    case $name in
      RUST_* | IPVSD_* | PROPTEST_* | CARGO_TARGET_DIR | CI | TERM | NO_COLOR | CLICOLOR | CLICOLOR_FORCE)
        printf 'export %s=%q\n' "$name" "${!name}"
        ;;
    esac
  done
}

# Makes the pipe $work/output, whose lines go to the standard output. The last one carries the exit status behind a word that
# no command can know; it goes to $work/status, and tells that nothing before it is missing.
machine_output() {
  mkfifo "$work/output"
  sed -u "s/$nonce \([0-9]*\)\$/\n\1/;T;h;s/\n.*//;/./p;x;s/.*\n//;w $work/status
d" <"$work/output" &
  filter=$!
}

# Waits for the machine with this process id until the deadline, and exits with the command's status, or 125.
machine_wait() {
  machine=$1
  disown -a # its end is looked for here: bash need not announce it
  local deadline=$((SECONDS + seconds)) late='' status
  [ -n "$tty" ] && saved=$(stty -g </dev/tty)
  while kill -0 "$machine" 2>/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      late=1
      machine_kill
      break
    fi
    sleep 0.1
  done
  machine=''
  # The filter ends when the last writer has, and every writer is gone.
  for _ in 1 2 3 4 5 6 7 8 9 10; do { [ -n "$filter" ] && kill -0 "$filter" 2>/dev/null; } || break; sleep 0.1; done
  status=$(cat "$work/status" "$work/out/status" 2>/dev/null | head -1)
  if [ -n "$late" ]; then
    lab_say "still running after $seconds s, ended: ${machine_command[*]}"
  elif [ -z "$status" ]; then
    lab_say "the kernel went away before the command ended: ${machine_command[*]}"
  else
    exit "$status"
  fi
  lab_say "the kernel's last words:"
  [ -s "$work/emulator" ] && tail -n 5 "$work/emulator" >&2
  tail -n 40 "$work/console" | tr -d '\r' >&2
  exit 125
}
