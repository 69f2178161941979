package compat

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/varve-log/varve/agent"
)

// ages are what clients of a release speak at most.
var ages = []struct {
	release string
	most    *kversion.Versions
}{
	{"0.11", kversion.V0_11_0()},
	{"1.0", kversion.V1_0_0()},
	{"2.0", kversion.V2_0_0()},
	{"2.4", kversion.V2_4_0()},
	{"2.8", kversion.V2_8_0()},
	{"3.5", kversion.V3_5_0()},
	{"4.0", kversion.V4_0_0()},
	{"newest", kversion.Tip()},
}

func TestClientsOfEveryAge(t *testing.T) {
	a := start(t)
	seamTopic(t, a, "seam")
	for _, age := range ages {
		t.Run(age.release, func(t *testing.T) {
			opts := []kgo.Opt{kgo.MaxVersions(age.most)}
			readAcross(t, a, opts)
			writeNew(t, a, "age-"+age.release, opts)
		})
	}
}

func readAcross(t *testing.T, a *agent.Agent, opts []kgo.Opt) {
	t.Helper()
	ctx := testContext(t)
	from := map[string]map[int32]kgo.Offset{"seam": {0: kgo.NewOffset().At(0)}}
	cl := client(t, a, append(opts, kgo.ConsumePartitions(from))...)
	for next := 0; next < records; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("at offset %d: %v", next, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if int(r.Offset) != next || string(r.Value) != value(next) ||
				r.Timestamp.UnixMilli() != firstTime+1000*int64(next) {
				t.Fatalf("offset %d, wanted %d, at %s", r.Offset, next, r.Timestamp)
			}
			next++
		})
	}
}

// writeNew produces to a topic that its asking for creates.
func writeNew(t *testing.T, a *agent.Agent, topic string, opts []kgo.Opt) {
	t.Helper()
	cl := client(t, a, append(opts, kgo.AllowAutoTopicCreation())...)
	for i := range 10 {
		r, err := cl.ProduceSync(testContext(t), &kgo.Record{
			Topic: topic, Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h"}},
		}).First()
		if err != nil || r.Offset != int64(i) {
			t.Fatalf("record %d: %v, offset %d", i, err, r.Offset)
		}
	}
}
