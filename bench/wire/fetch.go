package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const fetchVersion = 12

// Fetch is what to ask for of one partition.
type Fetch struct {
	Topic             string
	Partition         int32
	BytesMax          int32 // of the whole answer
	PartitionBytesMax int32
	WaitMillis        int32
}

// Fetch reads records from an offset on. They alias the connection's buffer until its next use.
// The second result is the high watermark.
func (c *Conn) Fetch(f Fetch, from int64) (records []byte, highWatermark int64, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = fetchVersion
	req.ReplicaID, req.SessionEpoch = -1, -1
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = f.WaitMillis, 1, f.BytesMax
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = f.Partition, from, f.PartitionBytesMax
	t := kmsg.NewFetchRequestTopic()
	t.Topic = f.Topic
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := c.Ask(req)
	if err != nil {
		return nil, 0, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, 0, fmt.Errorf("fetch of %s-%d: answer without the partition", f.Topic, f.Partition)
	}
	got := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return nil, 0, fmt.Errorf("fetch of %s-%d at %d: %w", f.Topic, f.Partition, from, err)
	}
	return got.RecordBatches, got.HighWatermark, nil
}
