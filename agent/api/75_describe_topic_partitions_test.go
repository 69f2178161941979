package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestDescribeTopicPartitionsPages compares with what Apache Kafka 4.3.1 answers for topics aa, bb and
// cc of 3, 2 and 5 partitions.
func TestDescribeTopicPartitionsPages(t *testing.T) {
	f := newFake()
	f.create(t, "cc", 5)
	f.create(t, "aa", 3)
	f.create(t, "bb", 2)
	c := dial(t, serveFake(t, f))
	for _, q := range []struct {
		limit  int32
		cursor string
		at     int32
		topics string
		want   string
	}{
		{2000, "", 0, "", "aa:012 bb:01 cc:01234"},
		{4, "", 0, "", "aa:012 bb:0 next bb:1"},
		{3, "", 0, "", "aa:012 next bb:0"},
		{0, "", 0, "", "aa:0 next aa:1"},
		{-1, "", 0, "", "aa:0 next aa:1"},
		{5, "aa", 2, "", "aa:2 bb:01 cc:01 next cc:2"},
		{5, "ab", 7, "", "bb:01 cc:012 next cc:3"},
		{5, "bb", 9, "", "bb: cc:01234"},
		{5, "bb", -1, "", ""},
		{5, "zz", 0, "", ""},
		{5, "bb", 1, "cc bb aa", "bb:1 cc:0123 next cc:4"},
		{5, "bb", 1, "cc aa", "cc!42: aa!42:"},
		{5, "nosuch", 1, "cc aa nosuch zz", "nosuch!3: zz!3:"},
		{2000, "", 0, "cc no/such cc", "cc:01234 no/such!17:"},
		{3, "", 0, "aa nosuch", "aa:012 next nosuch:0"},
	} {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = q.limit
		for _, name := range strings.Fields(q.topics) {
			topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
			topic.Topic = name
			req.Topics = append(req.Topics, topic)
		}
		if q.cursor != "" {
			at := kmsg.NewDescribeTopicPartitionsRequestCursor()
			at.Topic, at.Partition = q.cursor, q.at
			req.Cursor = &at
		}
		got := pageOf(ask[*kmsg.DescribeTopicPartitionsResponse](c, req, 0))
		if got != q.want {
			t.Errorf("%d from %s %d of %q: %s, want %s", q.limit, q.cursor, q.at, q.topics, got, q.want)
		}
	}
}

// pageOf writes a page as topic:partitions, with errors and the next cursor.
func pageOf(r *kmsg.DescribeTopicPartitionsResponse) string {
	var words []string
	for _, t := range r.Topics {
		word := *t.Topic
		if t.ErrorCode != codeNone {
			word += fmt.Sprint("!", t.ErrorCode)
		}
		word += ":"
		for _, p := range t.Partitions {
			word += fmt.Sprint(p.Partition)
		}
		words = append(words, word)
	}
	if r.NextCursor != nil {
		words = append(words, fmt.Sprintf("next %s:%d", r.NextCursor.Topic, r.NextCursor.Partition))
	}
	return strings.Join(words, " ")
}
