#!/bin/bash
# KAFKA_NODE_ID becomes node.id and so on, as in the public image; then the storage is formatted and the broker starts.
set -euo pipefail
data=/var/lib/kafka/data
mkdir -p "$data"
{
  echo "log.dirs=$data"
  env | grep '^KAFKA_' | while IFS='=' read -r name value; do
    key=${name#KAFKA_}
    key=${key//_/.}
    echo "${key,,}=$value"
  done
} >/tmp/server.properties
java=(/opt/java/bin/java -Xmx384m -XX:+UseSerialGC -cp '/opt/kafka/jars/*')
[ -f "$data/meta.properties" ] ||
  "${java[@]}" kafka.tools.StorageTool format -t bWlsbHJhY2UtdGVzdHMtMQ -c /tmp/server.properties
exec "${java[@]}" kafka.Kafka /tmp/server.properties
