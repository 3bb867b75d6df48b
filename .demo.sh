#!/bin/sh
# What `make run` does: everything from nothing, the commands shown as a user would type them.
set -eu
say() { printf '\n$ %s\n' "$*"; "$@"; }

[ -d "$DEMO/keys" ] || say "$PY" -m pipelines.keys create --output "$DEMO/keys"
[ -d "$DEMO/generated" ] || say "$PY" -m pipelines.generate --output "$DEMO/generated" --events "$EVENTS"
say "$PY" -m pipelines.batch --input "$DEMO/generated/raw" --output "$DEMO/datasets" --key_ring "$DEMO/keys"
say "$PY" -m pipelines.verify --datasets "$DEMO/datasets"

printf '\nmade, in %s:\n' "$DEMO/datasets"
for dataset in "$DEMO/datasets"/*/; do
  printf '  %-20s %3d files, %s\n' "$(basename "$dataset")" \
    "$(find "$dataset" -name '*.parquet' | wc -l)" "$(du -sh "$dataset" | cut -f1)"
done
cat <<EOF

try next:
  $PY -c "import duckdb; duckdb.sql(\"select language, count(*) displays, count(distinct suggestion_id) suggestions from '$DEMO/datasets/displays/*/*.parquet' group by all order by displays desc\").show()"
  $PY -m pipelines.snippets --datasets $DEMO/datasets --private_key $DEMO/keys/private/completions.json --language python
EOF
