#!/bin/sh
# Names every disk that is fuller than LIMIT percent, and fails if there is one.
set -eu
df -P -x tmpfs -x devtmpfs -x overlay 2>/dev/null | awk -v limit="${LIMIT:-90}" '
    NR > 1 && $5 + 0 > limit { print $6 " is " $5 " full"; bad = 1 }
    END { exit bad }'
