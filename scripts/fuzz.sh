#!/bin/sh
# Throw random requests at a real service, as described in its /openapi.json and against it, and show
# that it lives, that no answer is a 5xx, takes longer than schemathesis.toml allows or differs from
# its description, and that its log has no traceback. `fuzz.sh PYTHON [OPTIONS of st run]`; the
# service has the model in the folder $MODEL, else one that is trained here.
set -eu
python=$1; shift
scripts=$(dirname "$0")
temporary=$(mktemp -d)
trap 'kill "$service" 2> /dev/null || true; wait; rm -rf "$temporary"' EXIT
service=
unset MLFLOW_TRACKING_URI PEROVSHELL_HOME || true

if test -z "${MODEL:-}"; then
  "$python" -m perovshell train --quick --no-track --workspace "$temporary/workspace" > /dev/null
  MODEL=$(echo "$temporary"/workspace/models/????????????)
fi
"$python" -m perovshell serve --model "$MODEL" --workspace "$temporary/workspace" --port 0 \
  2> "$temporary/log" &
service=$!
until url=$(sed -n 's/^Serving model.* //p' "$temporary/log") && test -n "$url"; do
  kill -0 "$service" || { cat "$temporary/log"; exit 1; }
  sleep 0.1
done

"$python" -m schemathesis.cli --config-file "$scripts/schemathesis.toml" run "$url/openapi.json" "$@"
kill -0 "$service" || { echo "the service ended"; tail "$temporary/log"; exit 1; }
if grep -i traceback "$temporary/log"; then exit 1; fi
