#!/bin/sh
# Dumps the database to backups/, reads the dump back, and keeps the newest fourteen.
# With --check it only says whether it could. ENGINE is the program that reaches your containers: docker or podman.
set -eu
cd "$(dirname "$0")/.."
if [ "${1-}" = --check ]; then
    command -v gzip >/dev/null && mkdir -p backups && test -w backups
    exit
fi
umask 077
mkdir -p backups
target=backups/miniflux-$(date +%Y-%m-%d).sql.gz
partial=$target.partial
trap 'rm -f "$partial" "$partial.sql"' EXIT
"${ENGINE:-docker}" exec postgres pg_dump --username=miniflux miniflux >"$partial.sql"
gzip -c "$partial.sql" >"$partial"
gzip -t "$partial"
test -s "$partial.sql"
mv "$partial" "$target"
ls -1 backups/miniflux-*.sql.gz | sort -r | tail -n +15 | while read -r old; do rm -- "$old"; done
