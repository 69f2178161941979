package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

// describeProducers answers DescribeProducers (key 61) from the logs that this agent leads.
func (h *Handler) describeProducers(
	_ context.Context, _ int16, req *kmsg.DescribeProducersRequest,
) *kmsg.DescribeProducersResponse {
	resp := kmsg.NewPtrDescribeProducersResponse()
	for i := range req.Topics {
		t := kmsg.NewDescribeProducersResponseTopic()
		t.Topic = req.Topics[i].Topic
		for _, p := range req.Topics[i].Partitions {
			t.Partitions = append(t.Partitions, h.producersOf(t.Topic, p))
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (h *Handler) producersOf(
	topic string, partition int32,
) kmsg.DescribeProducersResponseTopicPartition {
	r := kmsg.NewDescribeProducersResponseTopicPartition()
	r.Partition = partition
	if reason := settings.ValidTopicName(topic); reason != "" {
		f := fault{codeInvalidTopic, "Topic name is invalid: " + reason}
		r.ErrorCode, r.ErrorMessage = f.code, f.text()
		return r
	}
	t, ok := h.backend.Topic(topic)
	if !ok {
		r.ErrorCode = codeUnknownTopic
		return r
	}
	replica, err := h.replica(t, partition)
	if err != nil {
		r.ErrorCode = codeOf(err)
		return r
	}
	for _, p := range replica.Producers() {
		s := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		s.ProducerID, s.ProducerEpoch = int64(p.Producer.ID), int32(p.Producer.Epoch)
		s.LastSequence, s.LastTimestamp = p.LastSequence, int64(p.LastTimestamp)
		s.CoordinatorEpoch, s.CurrentTxnStartOffset = p.CoordinatorEpoch, int64(p.TxnFirstOffset)
		r.ActiveProducers = append(r.ActiveProducers, s)
	}
	return r
}
