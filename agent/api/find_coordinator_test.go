package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
)

func TestFindCoordinatorCreatesTheInternalTopic(t *testing.T) {
	f := newFake()
	c := dial(t, serveFake(t, f))
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{"g", "h"}
	for kind, name := range map[int8]string{
		0: coordinator.OffsetsTopic, 1: coordinator.TransactionsTopic,
	} {
		req.CoordinatorType = kind
		got := ask[*kmsg.FindCoordinatorResponse](c, req, 4)
		for _, at := range got.Coordinators {
			if at.ErrorCode != codeNone || at.NodeID != 1 || at.Host != "127.0.0.1" || at.Port <= 0 {
				t.Errorf("type %d: %+v", kind, at)
			}
		}
		topic, ok := f.Topic(name)
		if !ok || len(topic.Partitions) != 50 || topic.Configs["cleanup.policy"] != "compact" {
			t.Errorf("%s: %+v", name, topic)
		}
	}
}

func TestFindCoordinatorRefusesWhatCannotBe(t *testing.T) {
	c := dial(t, serveFake(t, newFake()))
	for name, q := range map[string]struct {
		kind int8
		key  string
	}{
		"share group": {2, "g"}, "unknown": {9, "g"}, "negative": {-1, "g"}, "empty id": {1, ""},
	} {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKeys = q.kind, []string{q.key}
		got := ask[*kmsg.FindCoordinatorResponse](c, req, 6).Coordinators[0]
		if got.ErrorCode != codeInvalidRequest || got.NodeID != -1 || got.ErrorMessage == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
