# clock.sh: what is written here, by the host's clock, is older than what is written later by the guest's own. A guest that is busy, as it is
# behind its start, has its clock set exactly some time later.
set -eu
tries=0
until touch written && touch /tmp/later && /usr/bin/test /tmp/later -nt written; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || { stat -c '%n %.9Y' written /tmp/later >&2; exit 1; }
    sleep 1
done
echo fine
