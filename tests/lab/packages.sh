# shellcheck shell=bash
# Debian packages for the lab without root and without installing anything: `apt-get download` and `dpkg -x` into a
# cache folder of the user's own. Sourced by uml, qemu, tests/run and the quickstart.
#
#   lab_cache            the cache folder (IPVSD_LAB_CACHE, else XDG_CACHE_HOME or ~/.cache, else /tmp)
#   lab_packages P…      makes sure that P… and what they need beyond this host are under "$(lab_cache)/root"; LAB_LISTS: from there
#   lab_docker           makes sure of a Docker engine, its client and a static busybox, $LAB_BUSYBOX
#   lab_path             a PATH that finds them behind the host's own programs
#   lab_libraries        the folders for LD_LIBRARY_PATH, or nothing

lab_say() { printf 'lab: %s\n' "$*" >&2; }

lab_cache() {
  if [ -z "${LAB_CACHE_FOLDER:-}" ]; then
    local base folder
    for base in "${IPVSD_LAB_CACHE:-}" "${XDG_CACHE_HOME:+$XDG_CACHE_HOME/ipvsd-lab}" "${HOME:+$HOME/.cache/ipvsd-lab}" "/tmp/ipvsd-lab-$(id -u)"; do
      [ -n "$base" ] || continue
      # One folder per release and architecture: an upgraded machine starts afresh.
      folder=$base/$(. /etc/os-release && printf '%s%s' "$ID" "${VERSION_ID:-}")-$(dpkg --print-architecture)
      # Somebody else's folder in /tmp is not ours to trust: what lies there will be run.
      if mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] && [ -O "$folder" ]; then
        LAB_CACHE_FOLDER=$folder
        break
      fi
    done
    [ -n "${LAB_CACHE_FOLDER:-}" ] || { lab_say "no folder to keep packages in: set IPVSD_LAB_CACHE to one that you can write to"; return 1; }
  fi
  printf '%s\n' "$LAB_CACHE_FOLDER"
}

lab_path() { printf '%s\n' "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$1/root/usr/sbin:$1/root/usr/bin:$1/root/sbin:$1/root/bin"; }

lab_libraries() {
  local folder found=
  for folder in "$1"/root/usr/lib/*-linux-gnu "$1"/root/lib/*-linux-gnu; do
    [ -d "$folder" ] && found=$found${found:+:}$folder
  done
  printf '%s\n' "$found"
}

# apt with package lists of the lab's own, so that a machine whose lists are missing or old needs no root.
lab_apt() {
  local tool=$1 cache
  shift
  cache=$(lab_cache)
  "$tool" -o Debug::NoLocking=1 -o APT::Sandbox::User= -o Acquire::Retries=3 -o Acquire::Languages=none \
    -o Dir::Cache="$cache/apt" "${LAB_APT[@]}" "$@"
}

# The lists to look in, in turn: the host's; fresh ones from the host's sources; Debian 12's, for a release that has
# dropped the package (linux.uml needs nothing but a C library, so it runs on later ones).
lab_lists() {
  local cache
  cache=$(lab_cache)
  LAB_APT=()
  case $1 in
    host) ;;
    fresh) LAB_APT=(-o "Dir::State::Lists=$cache/lists") ;;
    bookworm | trixie)
      mkdir -p "$cache/$1/lists/partial" "$cache/$1/parts"
      local key=/usr/share/keyrings/debian-archive-keyring.gpg mirror=http://deb.debian.org
      printf 'deb [signed-by=%s] %s/debian %s main\ndeb [signed-by=%s] %s/debian-security %s-security main\n' \
        "$key" "$mirror" "$1" "$key" "$mirror" "$1" >"$cache/$1/sources.list"
      LAB_APT=(-o "Dir::State::Lists=$cache/$1/lists" -o "Dir::Etc::SourceList=$cache/$1/sources.list" -o "Dir::Etc::SourceParts=$cache/$1/parts")
      ;;
  esac
}

lab_needed() { # PACKAGE: it and what it needs that is not installed here
  case $1 in
    linux-image-*) # of a kernel only the kernel itself: all else is about installing it
      LC_ALL=C lab_apt apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | tail -1
      ;;
    *) # A simulated installation names exactly what this host lacks. libc6 stays the host's: a second one does not mix.
      LC_ALL=C lab_apt apt-get --simulate --no-install-recommends --reinstall install "$1" 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -v -x -E 'libc6|libc-bin|debconf|cdebconf' | sort -u
      ;;
  esac
}

lab_fetch() { # PACKAGE, from the lists that are set
  local cache staging needed
  cache=$(lab_cache)
  needed=$(lab_needed "$1")
  [ -n "$needed" ] || return 1
  staging=$(mktemp -d "$cache/staging.XXXXXX") || return 1
  # shellcheck disable=SC2086 # one word per package
  if (cd "$staging" && lab_apt apt-get -qq download $needed) >"$staging/log" 2>&1; then
    local package ok=1
    for package in "$staging"/*.deb; do
      dpkg -x "$package" "$cache/root" || ok=0
    done
    rm -rf "$staging"
    # Links like /sbin/modprobe -> /bin/kmod mean the package's own file, not the host's.
    local link aim
    find "$cache/root" -type l -lname '/*' | while IFS= read -r link; do
      aim=$cache/root$(readlink "$link")
      if [ -e "$aim" ] || [ -L "$aim" ]; then ln -sfnr "$aim" "$link"; fi
    done
    [ $ok = 1 ]
  else
    cat "$staging/log" >&2
    rm -rf "$staging"
    return 1
  fi
}

lab_packages() {
  local cache package lists
  cache=$(lab_cache) || return 1
  mkdir -p "$cache/root" "$cache/done" "$cache/lists/partial" "$cache/apt/archives/partial"
  for package; do
    [ -e "$cache/done/$package" ] && continue
    # Several labs may start at once: the first fetches, the others wait for it.
    (
      flock -w 600 9 || exit 1
      [ -e "$cache/done/$package" ] && exit 0
      lab_say "fetching $package from Debian (once)"
      for lists in ${LAB_LISTS:-host fresh bookworm}; do
        lab_lists "$lists"
        if [ "$lists" != host ]; then lab_apt apt-get -qq update >"$cache/apt-update.log" 2>&1 || true; fi
        if lab_fetch "$package" 2>"$cache/fetch.log"; then
          : >"$cache/done/$package"
          exit 0
        fi
      done
      lab_say "Debian's package $package could not be fetched; is the network up, and does \`apt-get download $package\` work?"
      cat "$cache/apt-update.log" "$cache/fetch.log" >&2
      exit 1
    ) 9>"$cache/lock" || return 1
  done
}

# lab_tools PROGRAM=PACKAGE…: a package for each program that the host lacks.
lab_tools() {
  local pair
  for pair; do
    PATH=$(lab_path /nonexistent) command -v "${pair%%=*}" >/dev/null || lab_packages "${pair#*=}" || return 1
  done
}

lab_docker() {
  local path
  path=$(lab_path "$(lab_cache)")
  lab_tools dockerd=docker.io && lab_packages busybox-static || return 1
  # Later releases have the client in a package of its own.
  PATH=$path command -v docker >/dev/null || lab_packages docker-cli || return 1
  # The host's may need libraries that an image does not have.
  LAB_BUSYBOX=$(for file in "$(lab_cache)"/root/bin/busybox "$(lab_cache)"/root/usr/bin/busybox; do [ -x "$file" ] && echo "$file" && break; done)
  [ -n "$LAB_BUSYBOX" ] || { lab_say "Debian's busybox-static has no busybox"; return 1; }
  export LAB_BUSYBOX
}
