package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/varve-log/varve/bench/jvm"
)

const (
	topic      = "orders"
	copied     = "source.orders" // MirrorMaker's name of the copy
	partitions = 3
	runTime    = 5 * time.Minute
	copyTime   = 90 * time.Second
)

func main() {
	var o jvm.Options
	o.Flags()
	transactions := flag.Int("transactions", 40, "transactions of 100 records in each of the two waves")
	flag.Parse()
	err := jvm.Run(o, func(ctx context.Context, t *jvm.Target) error {
		r := &run{Target: t, transactions: *transactions}
		return r.all(ctx)
	})
	os.Exit(jvm.Exit(os.Stdout, "mirror", err))
}

// run is one life of the test.
type run struct {
	*jvm.Target
	transactions int
	number       int // of the next record
	committed    int // records at the source in committed transactions

	project jvm.Project
	source  *jvm.Kafka
	maker   *jvm.Process
}

func (r *run) all(ctx context.Context) (err error) {
	if r.project, err = r.Install(ctx, "kafka", "bench", "jvm"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	if r.source, err = jvm.StartKafka(ctx, r.Target, r.project); err != nil {
		return err
	}
	defer r.source.Stop()
	err = jvm.Create(ctx, r.source.Bootstrap, topic, partitions,
		"retention.ms", "864000000", "max.message.bytes", "2000000")
	if err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	defer r.maker.Kill()
	if err := r.steps(ctx); err != nil {
		return fmt.Errorf("%w\nMirrorMaker's log ends:\n%s", err, r.maker.Tail())
	}
	return r.maker.Stop()
}

func (r *run) steps(ctx context.Context) error {
	// Records before the first copy are translated by few offsets only: let it find the topic first.
	if err := r.write(ctx, 1); err != nil {
		return err
	}
	if err := r.sameRecords(ctx); err != nil {
		return err
	}
	if err := r.write(ctx, r.transactions); err != nil {
		return err
	}
	if err := r.sameRecords(ctx); err != nil {
		return err
	}
	if err := r.sameSettings(ctx); err != nil {
		return err
	}
	if err := r.groups(ctx); err != nil {
		return err
	}
	if err := r.write(ctx, r.transactions); err != nil {
		return err
	}
	return r.sameRecords(ctx)
}

// settings are MirrorMaker's, in the form of its properties file.
const settings = `clusters=source,target
source.bootstrap.servers=%s
target.bootstrap.servers=%s
source->target.enabled=true
source->target.topics=%s
source->target.groups=.*
target->source.enabled=false
target.exactly.once.source.support=enabled
source.consumer.isolation.level=read_committed
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
config.storage.replication.factor=1
offset.storage.partitions=2
status.storage.partitions=2
sync.group.offsets.enabled=true
sync.group.offsets.interval.seconds=1
emit.checkpoints.interval.seconds=1
refresh.topics.interval.seconds=5
refresh.groups.interval.seconds=2
sync.topic.configs.interval.seconds=5
offset.lag.max=0
tasks.max=2
dedicated.mode.enable.internal.rest=true
listeners=http://127.0.0.1:0
`

// start runs MirrorMaker.
func (r *run) start() error {
	logging, err := jvm.Logging(r.Path())
	if err != nil {
		return err
	}
	file := r.Path("mirror.properties")
	text := fmt.Sprintf(settings, r.source.Bootstrap, r.Bootstrap, topic)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	r.maker, err = jvm.Start(jvm.Command{
		ClassPath: r.project.ClassPath(), Flags: []string{"-Xmx384m", logging},
		Class: "org.apache.kafka.connect.mirror.MirrorMaker", Args: []string{file},
		Log: r.Path("mirror.log"),
	})
	return err
}
