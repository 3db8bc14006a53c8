# postgres.sh DIRECTORY SCALE PGBENCH-OPTIONS...: a database as the image's entry point makes it, load, a crash, and what amcheck says.
set -eu
data=$1
scale=$2
shift 2
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export HOME=/tmp PGHOST=/run/postgresql PGUSER=postgres
mkdir -p "$data" /run/postgresql
chown -R postgres:postgres "$data" /run/postgresql
chmod 0700 "$data"
cd /tmp

as() {
    setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
}
server() {
    as pg_ctl -s -D "$data" -w -t 120 -l "$data/log" -o "-c listen_addresses='' -k /run/postgresql" "$@" || { cat "$data/log" >&2; exit 1; }
}
# What pgbench's transactions never change, and how many there were.
balance() {
    as psql -AtX bench -c 'select (select sum(abalance) from pgbench_accounts) = sum(delta)
        and (select sum(tbalance) from pgbench_tellers) = sum(delta)
        and (select sum(bbalance) from pgbench_branches) = sum(delta), count(*) from pgbench_history'
}

as initdb -D "$data" -k -A trust -U postgres >/tmp/initdb 2>&1 || { cat /tmp/initdb >&2; exit 1; }
server start
as createdb bench
as pgbench -i -q -s "$scale" bench 2>/tmp/init || { cat /tmp/init >&2; exit 1; }
as pgbench -n -c 4 "$@" bench >/tmp/load 2>&1 || { cat /tmp/load >&2; exit 1; }
grep -E 'tps|actually processed' /tmp/load
before=$(balance)
as pg_amcheck --install-missing --heapallindexed --parent-check --rootdescend -d bench
server stop -m immediate
server start
after=$(balance)
[ "$before" = "$after" ] && [ "${after%|*}" = t ] || { echo "before the crash $before, behind it $after" >&2; exit 1; }
as psql -qX bench -c 'vacuum full'
as psql -qX bench -c 'reindex database bench'
server restart -m fast
as pg_amcheck --heapallindexed -d bench
[ "$(balance)" = "$after" ]
server stop -m fast
as pg_checksums --check -D "$data" >/dev/null
if grep -E 'PANIC|ERROR|could not' "$data/log" >&2; then
    exit 1
fi
echo fine
