package agent

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerAgent is an agent whose consumer groups move fast.
func consumerAgent(t *testing.T) Config {
	cfg := groupAgent(t)
	maps.Copy(cfg.Settings, map[string]string{
		"group.consumer.session.timeout.ms": "2000", "group.consumer.min.session.timeout.ms": "2000",
		"group.consumer.heartbeat.interval.ms": "100", "group.consumer.min.heartbeat.interval.ms": "100",
		"group.consumer.assignment.interval.ms": "0",
	})
	return cfg
}

func describeConsumers(t *testing.T, a *Agent, id string) kmsg.ConsumerGroupDescribeResponseGroup {
	t.Helper()
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(testContext(t), client(t, a))
	if err != nil {
		t.Fatal(err)
	}
	return resp.Groups[0]
}

// TestConsumerGroupsAnswerAsKafka asks an agent what was asked of Kafka, step by step.
func TestConsumerGroupsAnswerAsKafka(t *testing.T) {
	b, err := os.ReadFile(captureFile)
	want := &captured{}
	if err == nil {
		err = json.Unmarshal(b, want)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.Settings = map[string]string{
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4",
		"group.consumer.assignment.interval.ms": "100",
	}
	a := start(t, cfg)
	s := &script{t: t, client: clientAt(t, a.Addr().String()), pace: 150 * time.Millisecond}
	s.run()
	if !slices.Equal(s.lines, want.Answers) {
		for i := range max(len(s.lines), len(want.Answers)) {
			have, kafka := at(s.lines, i), at(want.Answers, i)
			if have != kafka {
				t.Errorf("step %d:\nhave %s\nwant %s", i, have, kafka)
			}
		}
	}
	ids := regexp.MustCompile(`script-[-\w]{22,36}`) // ids that the coordinator gives
	for i, line := range s.described {
		have, kafka := ids.ReplaceAllString(line, "ID"), ids.ReplaceAllString(want.Groups[i], "ID")
		if have != kafka {
			t.Errorf("described\nhave %s\nwant %s", have, kafka)
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// A group of three with the consumer protocol: they share, one leaves, one crashes, and every value is
// read. One more that speaks the classic protocol joins in, and they change over to that.
func TestConsumerGroupOfThree(t *testing.T) {
	a := start(t, consumerAgent(t))
	create(t, a, "t", 6)
	fast := kgo.ServerSideBalancer()
	one := joinGroup(t, a, fast)
	shares(t, 6, one)
	two, three := joinGroup(t, a, fast), joinGroup(t, a, fast)
	shares(t, 6, one, two, three)
	fill(t, a, 0, 300)
	produced(t, 300, one, two, three)

	two.leave(t)
	shares(t, 6, one, three)
	fill(t, a, 300, 300)
	produced(t, 600, one, two, three)

	three.crash()
	shares(t, 6, one)
	fill(t, a, 600, 300)
	produced(t, 900, one, two, three)
	if g := describeConsumers(t, a, "g"); g.State != "Stable" || len(g.Members) != 1 {
		t.Errorf("described as %+v", g)
	}

	four := joinGroup(t, a)
	shares(t, 6, one, four)
	fill(t, a, 900, 300)
	produced(t, 1200, one, two, three, four)
	one.leave(t)
	shares(t, 6, four)
	fill(t, a, 1200, 300)
	produced(t, 1500, one, two, three, four)
	if g := describe(t, a); g.State != "Stable" || len(g.Members) != 1 {
		t.Errorf("described as %+v", g)
	}

	five := joinGroup(t, a, fast)
	shares(t, 6, four, five)
	four.leave(t)
	shares(t, 6, five)
	five.leave(t)
	if g := describeConsumers(t, a, "g"); g.State != "Empty" {
		t.Errorf("described as %+v", g)
	}
	var sum int64
	for _, offset := range committedBy(t, a) {
		sum += offset
	}
	if sum != 1500 {
		t.Errorf("committed %v, together %d of 1500", committedBy(t, a), sum)
	}
}

// A subscription by regular expression finds topics that are made later; the group goes on where it was
// after the agent was killed.
func TestConsumerGroupsFollowTopicsAndRestarts(t *testing.T) {
	cfg := consumerAgent(t)
	a := start(t, cfg)
	cfg.Listen = a.Addr().String()
	create(t, a, "t", 4)
	opts := []kgo.Opt{kgo.ServerSideBalancer(), kgo.ConsumeRegex(), kgo.ConsumeTopics("^(t|later)$")}
	one := joinGroup(t, a, append(opts, kgo.InstanceID("one"))...)
	two := joinGroup(t, a, append(opts, kgo.InstanceID("two"))...)
	shares(t, 4, one, two)
	// franz-go leaves without its instance id, which is refused: its place is free when the session ends.
	two.leave(t)
	two = joinGroup(t, a, append(opts, kgo.InstanceID("two"))...)
	shares(t, 4, one, two)
	before := describeConsumers(t, a, "g")
	a.kill()
	a = start(t, cfg)
	waitFor(t, func() error {
		if g := describeConsumers(t, a, "g"); g.State != "Stable" || g.Epoch != before.Epoch {
			return fmt.Errorf("described as %+v, before as %+v", g, before)
		}
		return nil
	})
	fill(t, a, 0, 40)
	produced(t, 40, one, two)
	create(t, a, "later", 2)
	begun := time.Now()
	waitFor(t, func() error {
		g := describeConsumers(t, a, "g")
		for _, m := range g.Members {
			for _, topic := range m.Assignment.TopicPartitions {
				if topic.Topic == "later" {
					return nil
				}
			}
		}
		return fmt.Errorf("nobody has the new topic: %+v", g)
	})
	t.Logf("the new topic was found after %s", time.Since(begun))
}
