#!/usr/bin/env bash
# Puts in place what the tests need besides Rust: promtool, curl, Python and a venv with the BlueKing client and more.
# Does nothing, quickly, when all of it is there. Installs Debian packages only as root; otherwise it says what is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/test-requirements.txt
venv=${ESBGATE_TEST_VENV:-$here/../target/test-tools/venv}

# command or module | Debian package | what the tests do with it
needs=(
  'promtool|prometheus|checks the metrics, the alert rules and their tests'
  'curl|curl|calls the gateway over HTTP/1.1 and HTTP/2, in clear and over TLS'
  'prlimit|util-linux|lets the journal of a served gateway grow no more'
  'python3|python3|runs the BlueKing Python clients and the hostile corpora'
  'setpriv|util-linux|ends the servers of tests that are killed'
  'strace|strace|shows in which order a gateway syncs and sends'
  'initdb|postgresql|takes what the postgres sink delivers, in a server for each test'
  'python3 -m venv|python3-venv|keeps the Python clients apart from the system'
)

present() {
  case $1 in
    'python3 -m venv') python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    # The package keeps its programs in a folder for each version.
    initdb) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing() {
  local need
  for need in "${needs[@]}"; do
    present "${need%%|*}" || printf '%s\n' "$need"
  done
}

explain() {
  echo "test-tools: the tests need tools that are not here, and $1:" >&2
  local tool package purpose
  while IFS='|' read -r tool package purpose; do
    printf '  %-16s (Debian package %s): %s\n' "$tool" "$package" "$purpose" >&2
  done <<<"$2"
  echo "Install them and run make test again." >&2
  exit 1
}

apt() {
  timeout 600 apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@"
}

# Prometheus and PostgreSQL come as servers, and those must not start: neither now nor at the next boot.
forbid_services() {
  [[ -e /usr/sbin/policy-rc.d ]] && return
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  install -m 755 /dev/stdin /usr/sbin/policy-rc.d <<<$'#!/bin/sh\nexit 101'
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  forbid_services
  # Package lists may be absent or older than the archive: one update, then one more try.
  apt install -y --no-install-recommends "$@" ||
    { echo 'test-tools: updating the package lists' >&2 && apt update && apt install -y --no-install-recommends "$@"; }
  local server now=()
  [[ -d /run/systemd/system ]] && now=(--now)
  for server in prometheus postgresql; do
    if [[ " $* " == *" $server "* ]] && command -v systemctl >/dev/null; then
      systemctl --quiet disable "${now[@]}" "$server.service" || true
    fi
  done
}

lacking=$(missing)
if [[ -n $lacking ]]; then
  command -v apt-get >/dev/null || explain 'there is no apt-get to install them with' "$lacking"
  ((EUID == 0)) || explain 'installing them takes root' "$lacking"
  mapfile -t packages < <(cut -d'|' -f2 <<<"$lacking")
  echo "test-tools: installing ${packages[*]}"
  install_packages "${packages[@]}" || explain 'apt-get could not install them' "$lacking"
  lacking=$(missing)
  [[ -z $lacking ]] || explain 'installing the packages did not bring them' "$lacking"
fi

# The copy is written last, so that an interrupted installation is done again.
installed=$venv/installed-requirements.txt
if ! cmp -s "$requirements" "$installed" ||
  ! "$venv/bin/python" -c 'import bkapi_component.open.client, cryptography, hpack, requests' 2>/dev/null; then
  echo "test-tools: building $venv"
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv"
  timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input -r "$requirements" ||
    { echo "test-tools: pip could not install $requirements" >&2; exit 1; }
  cp "$requirements" "$installed"
fi
