#!/bin/sh
# PostgreSQL on the volume /var/lib/data. The first start makes the cluster: under another name, so
# that one that was interrupted is not taken for a cluster. Arguments are the server's.
set -eu
data=/var/lib/data/cluster
if [ ! -d "$data" ]; then
  rm -rf "$data.new"
  mkdir -m 700 "$data.new"
  chown postgres "$data.new"
  su postgres -s /bin/sh -c \
    "initdb -D $data.new -A trust --locale=C -E UTF8 --data-checksums --wal-segsize=1 >/dev/null"
  echo "host all all all trust" >>"$data.new/pg_hba.conf"
  sync
  mv "$data.new" "$data"
fi
exec su postgres -s /bin/sh -c "exec postgres -D $data -c listen_addresses=* $*"
