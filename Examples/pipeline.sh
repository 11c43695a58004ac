#!/usr/bin/env bash
# Documents in and out of NexaDB from a script. NEXA names the shell (default: nexa on the PATH).
set -euo pipefail
nexa=${NEXA:-nexa}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

# Three films come in through a pipe. `--local` runs an embedded server over the directory; no password, no port.
printf '%s\n' \
  '{"_id":"caught","title":"Caught","year":1949,"genres":["Noir"]}' \
  '{"_id":"gilda","title":"Gilda","year":1946,"genres":["Noir","Romance"]}' \
  '{"_id":"rain","title":"Singin'\'' in the Rain","year":1952,"genres":["Musical"]}' |
  "$nexa" --local "$data" -q -e 'use films' -e 'import -'

# How many of them are noir?
"$nexa" --local "$data" -q -e 'use films' -e 'count {"genres":"Noir"}'

# One document a line goes out: any program can take it from here.
"$nexa" --local "$data" -e 'use films' -e 'query {"year":{"$lt":1950}}' |
  sed -E 's/"_(created|updated)_at":"[^"]*",//g'

# The exit code tells: 3 is a command that failed.
code=0
"$nexa" --local "$data" -q -e 'use films' -e 'read nobody' 2>/dev/null || code=$?
echo "exit code $code"
