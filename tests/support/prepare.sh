#!/usr/bin/env bash
# Install what the tests need beside Python: a PostgreSQL server and Chromium. Root on Debian can; anybody else is told the command.
set -u
need=()
command -v chromium >/dev/null 2>&1 || need+=(chromium)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need+=(postgresql)
[ ${#need[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing ${need[*]} for the tests..."
  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${need[@]}" >/dev/null && exit 0
fi
echo "The tests want ${need[*]}: apt-get install ${need[*]}. Without them, the tests that need them are skipped."
exit 0
