-- Views of an output's datasets for DuckDB: `duckdb -init docs/analysis/views.sql`, or connection.execute(this text).
-- Replace demo/datasets by your output. Leave out the lines of datasets that yours does not have.
create or replace view suggestions as from read_parquet('demo/datasets/suggestions/*/*.parquet', union_by_name = true);
create or replace view requests as from read_parquet('demo/datasets/requests/*/*.parquet', union_by_name = true);
create or replace view displays as from read_parquet('demo/datasets/displays/*/*.parquet', union_by_name = true);
create or replace view outcomes as from read_parquet('demo/datasets/outcomes/*/*.parquet', union_by_name = true);
create or replace view persistence_checks as from read_parquet('demo/datasets/persistence_checks/*/*.parquet', union_by_name = true);
create or replace view endings as from read_parquet('demo/datasets/endings/*/*.parquet', union_by_name = true);
create or replace view redactions as from read_parquet('demo/datasets/redactions/*/*.parquet', union_by_name = true);
create or replace view errors as from read_parquet('demo/datasets/errors/*/*.parquet', union_by_name = true);
