package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func (c *client) Member(ctx context.Context, m driver.Member, e *driver.Events) error {
	if m.Consumer {
		return driver.Absent("consumer protocol (KIP-848)")
	}
	cfg := config()
	cfg.ClientID = m.ClientID
	group := &cfg.Consumer.Group
	group.Session.Timeout = driver.SessionMillis * time.Millisecond
	group.Heartbeat.Interval = driver.HeartbeatMillis * time.Millisecond
	group.Rebalance.Timeout = driver.RebalanceMillis * time.Millisecond
	group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	if m.Cooperative {
		group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{
			sarama.NewBalanceStrategyCooperativeSticky(),
		}
	}
	group.InstanceId = m.Instance
	cfg.Consumer.Offsets.AutoCommit.Enable = false
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	consumer, err := sarama.NewConsumerGroup(c.brokers, m.Group, cfg)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := consumer.Consume(ctx, []string{m.Topic}, handler{e})
		switch {
		case errors.Is(err, sarama.ErrFencedInstancedId), errors.Is(err, sarama.ErrClosedConsumerGroup):
			return errors.Join(err, consumer.Close())
		case err != nil:
			println("consume: " + err.Error())
		}
	}
	return consumer.Close()
}

type handler struct{ e *driver.Events }

func (h handler) Setup(sarama.ConsumerGroupSession) error { return nil }

func (h handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h handler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	own := []int32{claim.Partition()}
	h.e.Gain(own)
	defer h.e.Lose(own)
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			h.e.Record(m.Partition, m.Offset, m.Value)
			s.MarkMessage(m, "")
			if len(claim.Messages()) == 0 {
				s.Commit()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}
