package agent

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRecordsOutliveTheDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 1000)
	consume(t, a, "t", 1000)
	stop(t, a)

	a = start(t, cfg)
	produce(t, a, "t", 1000, 1500)
	consume(t, a, "t", 1500)
	stop(t, a)

	a = start(t, newDisk(t, cfg))
	produce(t, a, "t", 1500, 1600)
	consume(t, a, "t", 1600)
	stop(t, a)
}

// Bug: the loaders of manifests waited for the lock under which more of them were started, so that a
// change which opened more partitions than are loaded at once never ended.
func TestManyPartitionsOpenAtOnce(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "many", 3*opensMax)
	create(t, a, "more", 1)
	a.kill()
	a = start(t, cfg)
	create(t, a, "another", 1)
	stop(t, a)
}

// Bug: a stop waited until clients' long polls had timed out.
func TestStopDoesNotWaitForLongPolls(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	produce(t, a, "t", 0, 1)
	c := client(t, a, kgo.ConsumeTopics("t"), kgo.FetchMaxWait(20*time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	c.PollFetches(testContext(t))
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		c.PollFetches(t.Context())
	}()
	begun := time.Now()
	stop(t, a)
	if took := time.Since(begun); took > 3*time.Second {
		t.Fatalf("the stop took %v", took)
	}
	c.Close()
	<-polled
}

func TestStopTwice(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	stop(t, a)
	stop(t, a)
}
