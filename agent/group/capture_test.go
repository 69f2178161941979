package group

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// TestCaptureKafka makes groups on a fresh Apache Kafka at GROUP_CAPTURE (host:port), writes down what it
// says of them and copies its segments of __consumer_offsets out of its data directory,
// GROUP_CAPTURE_DATA. Run it to renew testdata/kafka-4.3.1.
func TestCaptureKafka(t *testing.T) {
	addr, data := os.Getenv("GROUP_CAPTURE"), os.Getenv("GROUP_CAPTURE_DATA")
	if addr == "" {
		t.Skip("GROUP_CAPTURE is not set")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &capture{t: t, ctx: ctx, addr: addr, admin: newClient(t, addr)}
	c.createTopics("t", "u", "gone")
	c.members()
	c.simple()
	c.transactions()
	c.deletions()
	text := c.tell()
	if err := os.MkdirAll(kafkaDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kafkaDir, "groups.txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(data, "__consumer_offsets-*", "*.log"))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 {
			name := strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "__consumer_offsets-")
			if err := os.WriteFile(filepath.Join(kafkaDir, name+".log"), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func newClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

// versions limits one API key.
func versions(key, most int16) *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(key, most)
	return v
}

type capture struct {
	t     *testing.T
	ctx   context.Context
	addr  string
	admin *kgo.Client
}

func (c *capture) fatal(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *capture) createTopics(names ...string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 4, 1
		req.Topics = append(req.Topics, topic)
	}
	_, err := req.RequestWith(c.ctx, c.admin)
	c.fatal(err)
}

// members makes a stable group of three, one of them static and restarted; a group whose members left;
// and a group of workers, which are no consumers.
func (c *capture) members() {
	for i := range 3 {
		opts := []kgo.Opt{
			kgo.ClientID(fmt.Sprintf("client-%d", i)), kgo.ConsumerGroup("three"), kgo.ConsumeTopics("t", "u"),
			kgo.Balancers(kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()),
			kgo.SessionTimeout(time.Minute),
		}
		if i == 2 {
			opts = append(opts, kgo.InstanceID("static"))
			newClient(c.t, c.addr, opts...).CloseAllowingRebalance()
		}
		cl := newClient(c.t, c.addr, opts...)
		go func() {
			for c.ctx.Err() == nil {
				cl.PollFetches(c.ctx)
			}
		}()
	}
	c.stable("three", 3)
	left := newClient(c.t, c.addr, kgo.ConsumerGroup("left"), kgo.ConsumeTopics("t"))
	c.stable("left", 1)
	c.commit(left, "left", "t", 7, "read by a member")
	left.LeaveGroup()
}

// stable waits until a group has n members with assignments.
func (c *capture) stable(group string, n int) {
	for c.ctx.Err() == nil {
		if g := c.describe(group); g.State == "Stable" && len(g.Members) == n {
			return
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	c.t.Fatalf("%s is not stable", group)
}

// commit commits an offset to partitions 0 and 1, as the group's member if the client is one.
func (c *capture) commit(cl *kgo.Client, group, topic string, offset int64, metadata string) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	if member, generation := cl.GroupMetadata(); member != "" {
		req.MemberID, req.Generation = member, generation
	}
	out := kmsg.NewOffsetCommitRequestTopic()
	out.Topic, out.TopicID = topic, c.topicID(topic)
	for p := range int32(2) {
		out.Partitions = append(out.Partitions, kmsg.OffsetCommitRequestTopicPartition{
			Partition: p, Offset: offset + int64(p), LeaderEpoch: 0, Metadata: &metadata,
		})
	}
	req.Topics = append(req.Topics, out)
	resp, err := req.RequestWith(c.ctx, cl)
	c.fatal(err)
	c.fatal(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

func (c *capture) topicID(topic string) [16]byte {
	req := kmsg.NewPtrMetadataRequest()
	m := kmsg.NewMetadataRequestTopic()
	m.Topic = &topic
	req.Topics = append(req.Topics, m)
	resp, err := req.RequestWith(c.ctx, c.admin)
	c.fatal(err)
	return resp.Topics[0].TopicID
}

// simple commits without membership, also in the oldest version, which has a retention of its own.
func (c *capture) simple() {
	c.commit(c.admin, "simple", "t", 100, "")
	c.commit(c.admin, "simple", "u", 200, "metadätä")
	c.commit(c.admin, "simple", "t", 110, "again")
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.RetentionTimeMillis = "old", -1, 86_400_000
	out := kmsg.NewOffsetCommitRequestTopic()
	out.Topic = "t"
	out.Partitions = append(out.Partitions, kmsg.OffsetCommitRequestTopicPartition{Offset: 5, LeaderEpoch: -1})
	req.Topics = append(req.Topics, out)
	req.SetVersion(2)
	old := newClient(c.t, c.addr, kgo.MaxVersions(versions(8, 2)))
	_, err := req.RequestWith(c.ctx, old)
	c.fatal(err)
}

// transactions commits offsets in transactions: one commits, one aborts, one stays open.
func (c *capture) transactions() {
	for _, what := range []string{"commit", "abort", "open"} {
		cl := newClient(c.t, c.addr, kgo.TransactionalID("tx-"+what))
		c.fatal(cl.BeginTransaction())
		c.fatal(cl.ProduceSync(c.ctx, &kgo.Record{Topic: "u", Value: []byte("v")}).FirstErr())
		id, epoch, err := cl.ProducerID(c.ctx)
		c.fatal(err)
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = "tx-"+what, id, epoch, "txn"
		_, err = add.RequestWith(c.ctx, cl)
		c.fatal(err)
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = "tx-"+what, "txn", id, epoch
		req.Generation = -1
		topic := kmsg.NewTxnOffsetCommitRequestTopic()
		topic.Topic = "t"
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = map[string]int32{"commit": 0, "abort": 1, "open": 0}[what], 42
		topic.Partitions = append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(c.ctx, cl)
		c.fatal(err)
		c.fatal(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
		switch what {
		case "commit":
			c.fatal(cl.EndTransaction(c.ctx, kgo.TryCommit))
		case "abort":
			c.fatal(cl.EndTransaction(c.ctx, kgo.TryAbort))
		}
	}
}

// deletions deletes a group, offsets of a group, and a topic.
func (c *capture) deletions() {
	c.commit(c.admin, "deleted", "t", 1, "")
	gone := kmsg.NewPtrDeleteGroupsRequest()
	gone.Groups = []string{"deleted"}
	_, err := gone.RequestWith(c.ctx, c.admin)
	c.fatal(err)
	c.commit(c.admin, "less", "t", 1, "")
	c.commit(c.admin, "less", "gone", 1, "")
	less := kmsg.NewPtrOffsetDeleteRequest()
	less.Group = "less"
	topic := kmsg.NewOffsetDeleteRequestTopic()
	topic.Topic = "t"
	topic.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 1}}
	less.Topics = append(less.Topics, topic)
	_, err = less.RequestWith(c.ctx, c.admin)
	c.fatal(err)
	del := kmsg.NewPtrDeleteTopicsRequest()
	name := "gone"
	del.TopicNames = []string{name}
	del.Topics = append(del.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	_, err = del.RequestWith(c.ctx, c.admin)
	c.fatal(err)
	for len(c.fetch("less", false)) != 1 && c.ctx.Err() == nil {
		<-time.After(100 * time.Millisecond)
	}
}

func (c *capture) describe(group string) kmsg.DescribeGroupsResponseGroup {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(c.ctx, c.admin)
	if kerr.IsRetriable(err) { // __consumer_offsets is being made
		return kmsg.NewDescribeGroupsResponseGroup()
	}
	c.fatal(err)
	return resp.Groups[0]
}

// fetch gives all offsets of a group as lines.
func (c *capture) fetch(group string, stable bool) (lines []string) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, req.RequireStable = group, stable
	req.Groups = append(req.Groups, g)
	old := newClient(c.t, c.addr, kgo.MaxVersions(versions(9, 9))) // which names topics
	resp, err := req.RequestWith(c.ctx, old)
	c.fatal(err)
	for _, topic := range resp.Groups[0].Topics {
		for _, p := range topic.Partitions {
			switch {
			case p.ErrorCode != 0:
				lines = append(lines, fmt.Sprintf("  unstable %s-%d\n", topic.Topic, p.Partition))
			case !stable:
				lines = append(lines, fmt.Sprintf("  offset %s-%d %d epoch=%d %q\n",
					topic.Topic, p.Partition, p.Offset, p.LeaderEpoch, *p.Metadata))
			}
		}
	}
	return lines
}

// tell writes down what Kafka says of all groups.
func (c *capture) tell() string {
	listed, err := kmsg.NewPtrListGroupsRequest().RequestWith(c.ctx, c.admin)
	c.fatal(err)
	var told []string
	for _, l := range listed.Groups {
		d := c.describe(l.Group)
		lines := append(c.fetch(l.Group, true), c.fetch(l.Group, false)...)
		for _, m := range d.Members {
			lines = append(lines, fmt.Sprintf("  member %s instance=%s client=%s host=%s says=%x assigned=%x\n",
				m.MemberID, showText(m.InstanceID), m.ClientID, m.ClientHost, m.ProtocolMetadata,
				m.MemberAssignment))
		}
		slices.Sort(lines)
		told = append(told, fmt.Sprintf("%s %s %s %q %q\n", l.Group, l.GroupType, d.State, d.ProtocolType,
			d.Protocol)+strings.Join(lines, ""))
	}
	slices.Sort(told)
	return strings.Join(told, "")
}
