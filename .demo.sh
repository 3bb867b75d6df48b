#!/bin/sh
# What `make run` does: everything from nothing, the commands shown as a user would type them.
set -eu
say() { printf '\n$ %s\n' "$*"; "$@"; }

[ -d "$DEMO/keys" ] || say "$PY" -m pipelines.keys create --output "$DEMO/keys"
[ -d "$DEMO/generated" ] || say "$PY" -m pipelines.generate --output "$DEMO/generated" --events "$EVENTS" --days 3
say "$PY" -m pipelines.batch --input "$DEMO/generated/raw" --output "$DEMO/datasets" --key_ring "$DEMO/keys" \
  --close_open_suggestions
say "$PY" -m pipelines.verify --datasets "$DEMO/datasets"
say "$PY" -m pipelines.metrics --datasets "$DEMO/datasets" --privacy_epsilon none   # invented people have nothing to hide
say "$PY" -m pipelines.report --datasets "$DEMO/datasets" --to "$DEMO/report.html"

printf '\nmade, in %s:\n' "$DEMO/datasets"
for dataset in "$DEMO/datasets"/*/; do
  printf '  %-20s %3d files, %s\n' "$(basename "$dataset")" \
    "$(find "$dataset" -name '*.parquet' | wc -l)" "$(du -sh "$dataset" | cut -f1)"
done
cat <<EOF

look at the page: $DEMO/report.html

try next:
  $PY -c "import duckdb; duckdb.sql(\"select language, count(*) shown, count(*) filter (outcome in ('accepted', 'partially_accepted')) accepted from '$DEMO/datasets/suggestions/*/*.parquet' where kind = 'ghost_text' and display_count > 0 group by all order by shown desc\").show()"
  $PY -m pipelines.snippets --datasets $DEMO/datasets --private_key $DEMO/keys/private/completions.json --language python --purpose "a first look"
EOF
