# sqlite.sh WRITERS TRANSACTIONS: several processes write one database, with a rollback journal and with a write-ahead log.
set -eu
writers=$1
transactions=$2

transactions() {
    echo .bail on
    echo .timeout 120000
    echo 'pragma synchronous = full;'
    n=0
    while [ $n -lt "$transactions" ]; do
        echo "begin immediate; insert into entries values ('$1', $n, hex(randomblob(300))); update total set n = n + 1; commit;"
        n=$((n + 1))
    done
}

for mode in delete wal; do
    rm -f $mode.db*
    sqlite3 $mode.db "pragma journal_mode = $mode; create table entries (writer, n, body, primary key (writer, n));
        create index bodies on entries (body); create table total (n); insert into total values (0);"
    children=
    for writer in $(seq "$writers"); do
        transactions "$writer" | sqlite3 $mode.db &
        children="$children $!"
    done
    for child in $children; do
        wait "$child"
    done
    said=$(sqlite3 $mode.db 'pragma integrity_check; select count(*), (select n from total), count(distinct body) from entries')
    all=$((writers * transactions))
    [ "$said" = "ok
$all|$all|$all" ] || { echo "$mode: $said" >&2; exit 1; }
done
sqlite3 wal.db 'pragma wal_checkpoint(truncate); vacuum; pragma integrity_check'
echo fine
