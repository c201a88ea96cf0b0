#!/usr/bin/env bash
# Installs what the tests run against, once: real servers, a browser, the licence checker.
# Running it again costs a second. Nothing is started; the tests start everything themselves, on loopback.
#
#   ASTERISM_TEST_SERVERS   where the parts go that have no Debian package (default: target/servers)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
servers=${ASTERISM_TEST_SERVERS:-${CARGO_TARGET_DIR:-$root/target}/servers}

readonly PACKAGES=(
  mariadb-server mariadb-client                                    # metadata in production
  prometheus prometheus-pushgateway prometheus-alertmanager        # what the monitor speaks to
  openssh-server                                                   # nodes are stopped and woken over SSH
  chromium fonts-wqy-microhei                                      # page tests, Chinese names included
  strace iptables iproute2 faketime e2fsprogs                       # faults: system calls, network, clocks, power cuts
  jq curl                                                          # for people who look into a failed test
)
readonly CARGO_DENY_VERSION=0.20.2

say() { printf 'test servers: %s\n' "$*"; }
fail() { printf 'test servers: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
require() { command -v "$1" >/dev/null || fail "$1 is missing ($2)."; }

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Debian starts a server as soon as it is installed; a policy that answers 101 forbids it. An existing policy is the
# owner's and stays.
install_packages() {
  require apt-get "the servers come as Debian packages"
  require dpkg-query "the servers come as Debian packages"
  local missing policy=/usr/sbin/policy-rc.d
  mapfile -t missing < <(missing_packages)
  if [ ${#missing[@]} = 0 ]; then
    say "Debian packages are installed."
    return
  fi
  [ "$(id -u)" = 0 ] || require sudo "installing ${missing[*]} needs root"
  say "installing ${missing[*]}"
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=1200 update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=1200 \
    install -y --no-install-recommends "${missing[@]}"
}

# Neo4j has no Debian package; its jars are on Maven Central. The copy is stamped with the list it came from.
install_neo4j() {
  local lib=$servers/neo4j/lib stamp=$servers/neo4j/pom.xml
  if cmp -s "$here/neo4j/pom.xml" "$stamp"; then
    say "Neo4j is installed."
    return
  fi
  require java "Neo4j runs on Java 17 or newer: install openjdk-17-jre-headless"
  require mvn "Neo4j's jars come from Maven Central: install maven"
  say "collecting the jars of Neo4j in $lib"
  rm -rf "$servers/neo4j"
  mkdir -p "$lib"
  mvn --batch-mode --quiet --file "$here/neo4j/pom.xml" package -Dneo4j.lib="$lib"
  cp "$here/neo4j/pom.xml" "$stamp"
}

# Compiled for a short build, not for speed: it reads one lock file. No default features: no network database.
install_cargo_deny() {
  local binary=$servers/bin/cargo-deny
  if [ -x "$binary" ] && [ "$("$binary" --version)" = "cargo-deny $CARGO_DENY_VERSION" ]; then
    say "cargo-deny is installed."
    return
  fi
  require cargo "cargo-deny is built from its crate: install Rust"
  say "building cargo-deny $CARGO_DENY_VERSION"
  CARGO_TARGET_DIR=$servers/build CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo install --quiet --locked --no-default-features --no-track --force --root "$servers" \
    --version "$CARGO_DENY_VERSION" cargo-deny
  rm -rf "$servers/build"
}

# What drives Chromium: playwright without a browser of its own.
install_page_driver() {
  local page=$root/e2e/page
  if cmp -s "$page/package-lock.json" "$page/node_modules/.installed-lock"; then
    say "the browser driver is installed."
    return
  fi
  require npm "the page tests run on Node.js 20 or newer"
  say "installing the browser driver"
  npm ci --prefix "$page" --no-audit --no-fund --loglevel=error
  cp "$page/package-lock.json" "$page/node_modules/.installed-lock"
}

mkdir -p "$servers"
install_packages
install_neo4j
install_cargo_deny
install_page_driver
say "everything is there."
