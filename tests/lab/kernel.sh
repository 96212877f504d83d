# shellcheck shell=bash
# The kernels that `uml` boots. Sourced by it after packages.sh.
#
#   lab_kernel new|stable   sets LAB_UML, the program; LAB_UML_MODULES, a folder; LAB_UML_LIBRARIES, a folder for
#                           LD_LIBRARY_PATH, or nothing; LAB_UML_PRELOAD, for LD_PRELOAD, or nothing; LAB_UML_OPTIONS, for
#                           its command line
#
# `stable` is that of this release of Debian's. `new` is a later one, of Debian's next release: where the host can, its guests are
# not traced (`seccomp=`), so that a page fault costs a third and starting a program a half. It is one version, with its
# checksum, from Debian's mirrors, or when it has left them from the archive of all that was there; where it cannot be had,
# `stable` stands in for it, and that is said.

lab_new_version=7.2um1
lab_new_sha256=f947c9244fd79d481299df2ad68961f6b3b7703bff38c4b0e726f861161da62c
lab_new_path=pool/main/u/user-mode-linux/user-mode-linux_${lab_new_version}_amd64.deb
lab_new_mirrors="http://deb.debian.org/debian http://snapshot.debian.org/archive/debian/20261130T000000Z"
# The C library that it is linked with.
lab_new_libc=2.38

lab_kernel() {
  LAB_UML_LIBRARIES='' LAB_UML_PRELOAD='' LAB_UML_OPTIONS=''
  if [ "$1" = new ]; then
    lab_new_kernel && return
    lab_say "Linux $lab_new_version is out of reach, or was within the hour: this runs on the release's own, which takes longer"
  fi
  if [ -x /usr/bin/linux.uml ] && [ -d /usr/lib/uml/modules ]; then
    LAB_UML=/usr/bin/linux.uml LAB_UML_MODULES=/usr/lib/uml/modules
  else
    lab_packages user-mode-linux || return 1
    LAB_UML=$(lab_cache)/root/usr/bin/linux.uml LAB_UML_MODULES=$(lab_cache)/root/usr/lib/uml/modules
  fi
  # Processors that have AMX have more registers than it knows of.
  if grep -qw amx_tile /proc/cpuinfo; then lab_xstate; fi
}

lab_xstate() {
  local source=$here/xstate.c library
  library=$(lab_cache)/xstate-$(cksum <"$source" | cut -d ' ' -f 1).so
  # What is made under another's eyes is whole, or has another name.
  [ -e "$library" ] || { cc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$library.$$" "$source" && mv "$library.$$" "$library"; } || return 1
  LAB_UML_PRELOAD=$library
}

lab_new_kernel() {
  local cache folder
  [ "$(dpkg --print-architecture)" = amd64 ] && cache=$(lab_cache) || return 1
  folder=$cache/uml-$lab_new_version
  if [ ! -e "$folder/done" ]; then
    # What was out of reach an hour ago is not asked for again by each machine.
    [ -z "$(find "$folder.missing" -mmin -60 2>/dev/null)" ] || return 1
    (
      flock -w 600 9 || exit 1
      [ -e "$folder/done" ] || { lab_say "fetching Linux $lab_new_version from Debian (once)" && lab_make_new_kernel "$folder"; }
    ) 9>"$cache/kernel.lock" || { : >"$folder.missing"; return 1; }
  fi
  LAB_UML=$folder/linux.uml LAB_UML_MODULES=$folder/root/usr/lib/uml/modules LAB_UML_OPTIONS=seccomp=auto
  [ ! -d "$folder/libraries" ] || LAB_UML_LIBRARIES=$folder/libraries
}

lab_make_new_kernel() { # FOLDER
  local folder=$1 staging=$1.part mirror library libraries=''
  # What an interrupted one has left, too: there is one at a time.
  rm -rf "$staging" && mkdir "$staging" && lab_tools depmod=kmod || return 1
  trap 'rm -rf "$staging"' RETURN
  for mirror in $lab_new_mirrors; do
    /usr/lib/apt/apt-helper -o APT::Sandbox::User= -o Acquire::Retries=3 -o Acquire::http::Timeout=20 \
      download-file "$mirror/$lab_new_path" "$staging/kernel.deb" "SHA256:$lab_new_sha256" >>"$staging/log" 2>&1 && break
  done
  dpkg -x "$staging/kernel.deb" "$staging/root" && cp "$staging/root/usr/bin/linux.uml" "$staging/linux.uml" || { cat "$staging/log" >&2; return 1; }
  rm "$staging/kernel.deb"
  if dpkg --compare-versions "$(dpkg-query -W -f '${Version}' libc6:amd64)" lt $lab_new_libc; then
    # Trixie's C library, for this program only. The loader's name has to be as long as it was; it is looked up from where the
    # program is started, its folder.
    libraries=$staging/libraries
    mkdir "$libraries" "$staging/libc" || return 1
    lab_lists trixie
    lab_apt apt-get -qq update >"$staging/log" 2>&1 || true
    (cd "$staging/libc" && lab_apt apt-get -qq download libc6 && dpkg -x libc6_*.deb .) >>"$staging/log" 2>&1 || { cat "$staging/log" >&2; return 1; }
    for library in ld-linux-x86-64.so.2 libc.so.6; do
      find "$staging/libc" -name $library -type f -exec cp {} "$libraries/" \; || return 1
    done
    mv "$libraries/ld-linux-x86-64.so.2" "$staging/ld.so" && rm -rf "$staging/libc" || return 1
    LC_ALL=C sed -i 's#/lib64/ld-linux-x86-64.so.2#./././././././././././ld.so#' "$staging/linux.uml"
  fi
  for folder in "$staging"/root/usr/lib/uml/modules/*/; do
    mkdir -p "$staging/modules/lib" && ln -sfn ../../root/usr/lib/uml/modules "$staging/modules/lib/modules" &&
      PATH=$(lab_path "$(lab_cache)") LD_LIBRARY_PATH=$(lab_libraries "$(lab_cache)") depmod -b "$staging/modules" "$(basename "$folder")" || return 1
  done
  # It is loaded, at least.
  (cd "$staging" && env ${libraries:+"LD_LIBRARY_PATH=$libraries"} ./linux.uml --version) >"$staging/log" 2>&1 || { cat "$staging/log" >&2; return 1; }
  : >"$staging/done"
  rm -rf "$1" && mv "$staging" "$1"
}
