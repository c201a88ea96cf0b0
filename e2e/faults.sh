#!/usr/bin/env bash
# Runs every fault test FACTOR times as large as `make test` does, one after another, and writes what they counted into the table
# of docs/faults.md. Needs root, like the tests.
#
#   e2e/faults.sh [FACTOR [TEST…]]     e2e/faults.sh 10 fault_crash fault_power
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
factor=${1:-5}
shift || true
tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  for file in e2e/tests/fault_*.rs e2e/tests/bit_rot.rs; do tests+=("$(basename "$file" .rs)"); done
fi
report=${CARGO_TARGET_DIR:-target}/faults.txt
: >"$report"

status=0
for test in "${tests[@]}"; do
  ASTERISM_FAULT_TRIALS=$factor ASTERISM_FAULT_REPORT=$PWD/$report \
    cargo test --locked --package asterism-e2e --test "$test" -- --test-threads=1 || status=1
done

# `fault F01: trials 20, lost 0, files 412, slowest 1.3 s` becomes the last five columns of the row `| F01 | …`.
awk -F'|' -v OFS='|' '
  FNR == NR {
    if (match($0, /^fault [^:]+: /)) {
      row = substr($0, 7, RLENGTH - 8)
      split(substr($0, RLENGTH + 1), part, /[, ]+/)
      trials[row] = part[2]; lost[row] = part[4]; files[row] = part[6]; slowest[row] = part[8]
    }
    next
  }
  {
    row = $2
    gsub(/^ +| +$/, "", row)
    if (NF == 11 && row in trials) {
      $6 = " " trials[row] " "; $7 = " " lost[row] " "; $8 = " " files[row] " "; $9 = " " slowest[row] " s "
      $10 = lost[row] == 0 ? sprintf(" %.2g ", 3 / trials[row]) : " – "
    }
    print
  }
' "$report" docs/faults.md >"$report.md"
cp "$report.md" docs/faults.md
echo "faults: the figures are in docs/faults.md and $report"
exit $status
