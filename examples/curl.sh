#!/bin/sh
# Ask a prediction service with curl: sh examples/curl.sh [ADDRESS [KEY]]
set -eu
url=${1:-http://127.0.0.1:8000}
key=${2:-none}

ask() { curl --fail-with-body --silent --show-error -H "Authorization: Bearer $key" "$@"; echo; }

# Predictions: a number that is not known, and an end without limit, are null.
ask "$url/v1/predict" -H 'Content-Type: application/json' \
  -d '{"rows": [{"core": "CsPbBr3", "shell": "SiO2"}], "stressors": ["water"]}'

# What may be asked: shells with their aliases, words, ranges of numbers.
ask "$url/v1/vocabulary" | head -c 300; echo

# A ranking as JSON, and as the report that a browser shows.
space='{"space": {"cores": ["CsPbBr3"], "shells": ["SiO2", "ZnS"], "pl_window_nm": [500, 540]}}'
ask "$url/v1/rank" -H 'Content-Type: application/json' -d "$space" | head -c 300; echo
report=$(mktemp)
ask "$url/v1/rank" -H 'Content-Type: application/json' -H 'Accept: text/html' -d "$space" > "$report"
echo "report: $report"
