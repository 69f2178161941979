package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// prelude gives bash the tools by the names of Kafka's scripts, and helpers.
const prelude = `
set -o pipefail
kafka() { # kafka CLASS ARGS...; exec is set for a command in the background, so that its pid is java's
  local class=$1; shift
  $exec java $JAVA_FLAGS -Dlog4j2.configurationFile="$W/log4j2.properties" -cp "$LIBS/*" "$class" "$@"
}
kafka-topics() { kafka org.apache.kafka.tools.TopicCommand --bootstrap-server $B "$@"; }
kafka-configs() { kafka kafka.admin.ConfigCommand --bootstrap-server $B "$@"; }
kafka-consumer-groups() {
  kafka org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server $B "$@"
}
kafka-groups() { kafka org.apache.kafka.tools.GroupsCommand --bootstrap-server $B "$@"; }
kafka-console-producer() { kafka org.apache.kafka.tools.ConsoleProducer --bootstrap-server $B "$@"; }
kafka-console-consumer() {
  kafka org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server $B "$@"
}
kafka-producer-perf-test() {
  kafka org.apache.kafka.tools.ProducerPerformance --bootstrap-server $B "$@"
}
kafka-consumer-perf-test() {
  kafka org.apache.kafka.tools.ConsumerPerformance --bootstrap-server $B "$@"
}
kafka-get-offsets() { kafka org.apache.kafka.tools.GetOffsetShell --bootstrap-server $B "$@"; }
kafka-delete-records() { kafka org.apache.kafka.tools.DeleteRecordsCommand --bootstrap-server $B "$@"; }
kafka-log-dirs() { kafka org.apache.kafka.tools.LogDirsCommand --bootstrap-server $B "$@"; }
kafka-transactions() { kafka org.apache.kafka.tools.TransactionsCommand --bootstrap-server $B "$@"; }
kafka-verifiable-producer() {
  kafka org.apache.kafka.tools.VerifiableProducer --bootstrap-server $B "$@"
}
kafka-verifiable-consumer() {
  kafka org.apache.kafka.tools.VerifiableConsumer --bootstrap-server $B "$@"
}
kafka-features() { kafka org.apache.kafka.tools.FeatureCommand --bootstrap-server $B "$@"; }
kafka-acls() { kafka org.apache.kafka.tools.AclCommand --bootstrap-server $B "$@"; }
kafka-cluster() { kafka org.apache.kafka.tools.ClusterTool "$@" --bootstrap-server $B; }
kafka-broker-api-versions() {
  kafka org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server $B "$@"
}
kafka-reassign-partitions() {
  kafka org.apache.kafka.tools.reassign.ReassignPartitionsCommand --bootstrap-server $B "$@"
}
kafka-leader-election() {
  kafka org.apache.kafka.tools.LeaderElectionCommand --bootstrap-server $B "$@"
}
# until_matches REGEX COMMAND...: repeats the command until its output matches, and prints the last one.
until_matches() {
  local want=$1 out end=$((SECONDS + 25)); shift
  while out=$("$@" 2>&1); ! grep -qE -- "$want" <<< "$out" && ((SECONDS < end)); do sleep 0.2; done
  echo "$out"
}
# background NAME COMMAND...: runs on, with its output in a file.
background() {
  local name=$1; shift
  (exec=exec; "$@") > "$W/$name.out" 2>&1 < /dev/null &
  echo $! > "$W/$name.pid"
}
# seen NAME REGEX: waits for a line of a background command.
seen() {
  local end=$((SECONDS + 25))
  until grep -qE -- "$2" "$W/$1.out"; do
    ((SECONDS < end)) || { echo "not seen: $2"; cat "$W/$1.out"; return 1; }
    sleep 0.1
  done
}
# stop NAME: ends a background command as a person does and prints its output.
stop() {
  local pid; pid=$(cat "$W/$1.pid")
  kill "${2:--TERM}" "$pid" 2> /dev/null
  while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
  cat "$W/$1.out"
}
# keyed N TOPIC: writes the records 1 to N with keys, so that they go where murmur2 says.
keyed() {
  seq 1 "$1" | sed 's/.*/&:&/' | kafka-console-producer --topic "$2" \
    --reader-property parse.key=true --reader-property key.separator=:
}
# records TOPIC FORMATTER: prints an internal topic, a record on a line.
records() {
  kafka-console-consumer --topic "$1" --from-beginning --timeout-ms 6000 \
    --formatter "org.apache.kafka.tools.consumer.$2" 2>&1 | sed 's/}{"key"/}\n{"key"/g' |
    sed -E 's/"(subscription|assignment)":"[^"]*"/"\1":"BYTES"/g
      s/"(producerId|previousProducerId|nextProducerId)":[0-9]+/"\1":N/g
      s/}ERROR .*/}/'
}
# numbers: replaces all numbers, for figures that differ in every run.
numbers() { sed -E 's/[0-9]+(\.[0-9]+)?/N/g'; }
`

// logging prints errors as the tools' own settings do, without the time.
const logging = `rootLogger.level = ERROR
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %m%n%ex{0}
rootLogger.appenderRef.stderr.ref = stderr
`

// killTime is how long the output of a killed command is waited for.
const killTime = 5 * time.Second

// shell runs commands in a directory of its own.
type shell struct {
	dir string
	env []string
}

// javaFlags make programs that live for a second start fast.
const javaFlags = "-Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"

func newShell(o options) (*shell, error) {
	dir, err := os.MkdirTemp("", "varve-tools-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(logging), 0o644); err != nil {
		return nil, err
	}
	flags := javaFlags
	if path := sharedArchive(o.classes); exists(path) {
		flags += " -XX:SharedArchiveFile=" + path
	}
	return &shell{dir: dir, env: append(os.Environ(), "B="+o.bootstrap, "P="+o.prefix, "W="+dir,
		"LIBS="+o.classes, "JAVA_FLAGS="+flags, "LC_ALL=C", "TZ=UTC", "exec=")}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run returns what a command prints on both streams, and its exit status where it is not 0.
func (s *shell) run(ctx context.Context, command string) string {
	cmd := exec.CommandContext(ctx, "bash", "-c", prelude+command)
	cmd.Env = s.env
	// At the end of time all of a command's processes end, and not only bash.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killTime
	out, err := cmd.CombinedOutput()
	text := strings.ReplaceAll(string(out), s.dir, "$W")
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		text += fmt.Sprintf("\n[exit %d]", status.ExitCode())
	case err != nil:
		text += fmt.Sprintf("\n[%v]", err)
	}
	return text
}

// close ends what runs in the background and removes the directory.
func (s *shell) close() {
	pids, _ := filepath.Glob(filepath.Join(s.dir, "*.pid"))
	for _, file := range pids {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && ours(pid, s.dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = os.RemoveAll(s.dir)
}

// ours says whether a process still is one that this shell began: ids are used again.
func ours(pid int, dir string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(b), dir)
}
