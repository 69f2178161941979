#!/usr/bin/env bash
# One Apache Kafka broker (KRaft, broker and controller in one process) to measure against.
#
#   bench/peers/kafka.sh install           copy the jars with Maven; later runs find them
#   bench/peers/kafka.sh start [NAME=VALUE]...   start the broker with these settings added;
#                                          prints its address once the port answers
#   bench/peers/kafka.sh pid               print the broker's process id
#   bench/peers/kafka.sh stop              stop it and remove its data
#
#   VARVE_KAFKA_DIR    where the jars are (libs/, and testlibs/ for tiering);
#                      default: data/kafka in the repository
#   VARVE_KAFKA_DATA   where this broker's settings, log and data go; default: the same directory
#   VARVE_KAFKA_PORT   its port on 127.0.0.1; the controller takes the next one; default 19092
#   VARVE_KAFKA_TIERED 1: with tiered storage on Kafka's own file plug-in (a test class of Kafka's);
#                      topics then take remote.storage.enable=true
#   VARVE_KAFKA_HEAP   default 1g, as in Kafka's own start script
#
# Needs Java 17 and, to install, Maven.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${VARVE_KAFKA_DIR:-$here/../../data/kafka}
node=${VARVE_KAFKA_DATA:-$jars}/node
port=${VARVE_KAFKA_PORT:-19092}
heap=${VARVE_KAFKA_HEAP:-1g}
tiered=${VARVE_KAFKA_TIERED:-}

die() { printf 'kafka.sh: %s\n' "$*" >&2; exit 1; }

need() { command -v "$1" >/dev/null || die "$1 is not installed; $2"; }

install() {
  if [ ! -e "$jars/libs/.done" ]; then
    need mvn "install Maven, or point VARVE_KAFKA_DIR at a directory with the jars in libs/"
    mkdir -p "$jars/libs"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars/libs" >&2
    touch "$jars/libs/.done"
  fi
  if [ -n "$tiered" ] && [ ! -e "$jars/testlibs/.done" ]; then
    need mvn "install Maven for the jars that hold Kafka's file plug-in"
    local version artifact
    version=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$here/pom.xml")
    for artifact in kafka-storage kafka-clients kafka-server-common; do
      mvn -q -B dependency:copy -Dartifact="org.apache.kafka:$artifact:$version:jar:test" \
        -DoutputDirectory="$jars/testlibs" >&2
    done
    touch "$jars/testlibs/.done"
  fi
}

class_path() { echo "$jars/libs/*${tiered:+:$jars/testlibs/*}"; }

write_settings() {
  cat <<SETTINGS
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$node/data
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A deleted topic's files go at once, so that its pages do not weigh on the next run.
log.segment.delete.delay.ms=100
SETTINGS
  [ -z "$tiered" ] || cat <<SETTINGS
remote.log.storage.system.enable=true
remote.log.storage.manager.class.name=org.apache.kafka.server.log.remote.storage.LocalTieredStorage
remote.log.metadata.manager.listener.name=PLAINTEXT
rlmm.config.remote.log.metadata.topic.replication.factor=1
rsm.config.dir=$node/remote
remote.log.manager.task.interval.ms=1000
log.retention.check.interval.ms=1000
SETTINGS
  printf '%s\n' "$@"
}

write_logging() { # warnings to the log; the jars bring no settings of their own
  cat <<LOGGING
rootLogger.level = WARN
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d %p %m (%c)%n
rootLogger.appenderRef.stderr.ref = stderr
LOGGING
}

pid() {
  local p
  p=$(cat "$node/pid" 2>/dev/null) || return 1
  ps -o args= -p "$p" 2>/dev/null | grep -qF "$node/server.properties" || return 1
  echo "$p"
}

start() {
  pid >/dev/null && die "a broker runs already on port $port; stop it first"
  need java "Kafka needs Java 17 or later"
  install
  rm -rf "$node"
  mkdir -p "$node"
  write_settings "$@" >"$node/server.properties"
  write_logging >"$node/log4j2.properties"
  local java=(java "-Dlog4j2.configurationFile=$node/log4j2.properties" -cp "$(class_path)")
  "${java[@]}" kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw \
    -c "$node/server.properties" >"$node/format.log" 2>&1 ||
    die "could not format the data directory: $(tail -n 3 "$node/format.log")"
  # The flags of Kafka's own start script.
  "${java[0]}" -Xms"$heap" -Xmx"$heap" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
    -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent \
    -Djava.awt.headless=true "${java[@]:1}" kafka.Kafka "$node/server.properties" \
    >"$node/broker.log" 2>&1 </dev/null &
  echo $! >"$node/pid"
  disown
  for _ in $(seq 600); do
    pid >/dev/null || die "the broker ended at once: $(tail -n 3 "$node/broker.log")"
    if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "127.0.0.1:$port"
      return
    fi
    sleep 0.05
  done
  die "the broker does not answer after 30 s; see $node/broker.log"
}

stop() {
  local p
  if p=$(pid); then
    kill "$p"
    for _ in $(seq 200); do
      kill -0 "$p" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$p" 2>/dev/null || true
  fi
  rm -rf "$node"
}

case ${1:-} in
  install | start | pid | stop) "$@" ;;
  *) sed -n '2,19s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
