# The accounts of PostgreSQL: one that owns the tables and migrates, one for the parts, one for Camunda, and none of them may do more.
# Runs by itself when the volume is new. On a volume of before, whose superuser is called footage_desk, once by hand (docs/operations.md):
#   docker compose -f deploy/compose.yaml exec postgres sh /docker-entrypoint-initdb.d/database_accounts.sh footage_desk
set -eu
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "${1:-$POSTGRES_USER}" --dbname postgres <<'SQL'
SET client_min_messages = warning;
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv parts_password DATABASE_PASSWORD
\getenv camunda_password CAMUNDA_DATABASE_PASSWORD
SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES ('desk_owner'), ('desk_parts'), ('camunda')) AS wanted (name)
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE desk_owner NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE desk_parts NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'parts_password';
ALTER ROLE camunda NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'camunda_password';
SELECT format('CREATE DATABASE %I', name) FROM (VALUES ('footage_desk'), ('camunda')) AS wanted (name)
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
ALTER DATABASE footage_desk OWNER TO desk_owner;
ALTER DATABASE camunda OWNER TO camunda;
REVOKE ALL ON DATABASE footage_desk, camunda, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE footage_desk TO desk_parts;

\connect camunda
SELECT format('ALTER TABLE %I.%I OWNER TO camunda', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' \gexec

\connect footage_desk
-- What the superuser made before goes to the owner; a column's sequence goes with its table.
SELECT format('ALTER TABLE %I.%I OWNER TO desk_owner', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' \gexec
SELECT format('ALTER FUNCTION %s OWNER TO desk_owner', p.oid::regprocedure)
    FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') \gexec
-- The parts read and write rows. They cannot change a table, nor switch off the triggers that keep the audit trail as it is.
GRANT USAGE ON SCHEMA public TO desk_parts;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO desk_parts;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO desk_parts;
ALTER DEFAULT PRIVILEGES FOR ROLE desk_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO desk_parts;
ALTER DEFAULT PRIVILEGES FOR ROLE desk_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO desk_parts;
SQL
