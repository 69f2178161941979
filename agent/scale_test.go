package agent

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// manyPartitions is how many the goals of a restart are about.
const manyPartitions = 2000

func TestRestartWithManyPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("writes to 2,000 logs")
	}
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", manyPartitions)
	c := client(t, a, kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for i := range 4 * manyPartitions {
		records = append(records,
			&kgo.Record{Value: []byte("value"), Partition: int32(i % manyPartitions)})
	}
	if err := c.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	a.kill()
	begun := time.Now()
	a = start(t, cfg)
	took := time.Since(begun)
	t.Logf("ready again after %v", took)
	if took > 10*time.Second { // the goal is 3 s, on a machine that does nothing else
		t.Errorf("the restart took %v", took)
	}
	for tp, p := range a.topology.Load().open {
		if p.HighWatermark() != 4 {
			t.Fatalf("%s ends at %d", tp, p.HighWatermark())
		}
	}
	a.kill()
}
