#!/bin/sh
# Build the wheel, install it without extras into a fresh environment, and predict and rank from
# another folder: what a user of the base install gets.
set -eu
top=$(pwd)
python=$top/$1
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

"$python" -m build --wheel --no-isolation --outdir "$temporary/dist" . > "$temporary/build.log" 2>&1 \
  || { cat "$temporary/build.log"; exit 1; }
"$python" -m zipfile -l "$temporary"/dist/*.whl > "$temporary/files.txt"
grep -q serve/service/static/main.js "$temporary/files.txt"
grep -q serve/service/templates/index.html "$temporary/files.txt"
"$python" -m perovshell train --quick --no-track --workspace "$temporary/workspace" > /dev/null

"$python" -m venv "$temporary/base"
"$temporary/base/bin/pip" install -q "$temporary"/dist/*.whl
cd "$temporary"
model=$(echo workspace/models/????????????)
printf 'core,shell\nCsPbBr3,SiO2\nFAPbBr3,PMMA\n' > in.csv
base/bin/perovshell --version
base/bin/perovshell predict in.csv -o out.csv --model "$model"
base/bin/perovshell rank --model "$model" -o ranked > ranked.txt
base/bin/perovshell data template > paper.yaml
sed -i.bak 's/^paper_id:$/paper_id: smith2026/; s/^doi:$/doi: 10.1234\/smith/' paper.yaml
base/bin/perovshell add paper.yaml --yes --workspace workspace
test -s ranked/report.html && test -s ranked/ranking.csv && test -s ranked/ranking.md
base/bin/python - <<'PY'
import importlib.util

heavy = ("xgboost", "sklearn", "pandas", "mlflow", "matminer", "scipy")
found = [name for name in heavy if importlib.util.find_spec(name)]
assert not found, f"the base install brings {found}"
PY
"$python" "$top/scripts/compare_predictions.py" "$model" in.csv out.csv
