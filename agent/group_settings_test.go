package agent

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestGroupSettingsCount: a group's own heartbeat interval is told at its members' next heartbeat, and
// outlives a restart.
func TestGroupSettingsCount(t *testing.T) {
	cfg := testConfig(t)
	cfg.Settings = map[string]string{"offsets.topic.num.partitions": "1"}
	a := start(t, cfg)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey, find.CoordinatorKeys = "g", []string{"g"}
	ask[*kmsg.FindCoordinatorResponse](t, a, find)

	member := kmsg.StringPtr("0Qf3nJ6sTyiJ0Q7Wm2cXAg")
	beat := func(a *Agent, epoch int32) *kmsg.ConsumerGroupHeartbeatResponse {
		t.Helper()
		q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		q.Group, q.MemberID, q.MemberEpoch = "g", *member, epoch
		if epoch == 0 {
			q.RebalanceTimeoutMillis, q.SubscribedTopicNames = 60_000, []string{"t"}
			q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		var r *kmsg.ConsumerGroupHeartbeatResponse
		waitFor(t, func() error { // the coordinator may be loading
			r = ask[*kmsg.ConsumerGroupHeartbeatResponse](t, a, q)
			return kerr.ErrorForCode(r.ErrorCode)
		})
		return r
	}
	r := beat(a, 0)
	if r.HeartbeatIntervalMillis != 5000 {
		t.Fatalf("told to beat every %d ms", r.HeartbeatIntervalMillis)
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "consumer.heartbeat.interval.ms", kmsg.StringPtr("7000")
	res.Configs = append(res.Configs, c)
	alter.Resources = append(alter.Resources, res)
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](t, a, alter).Resources[0]; got.ErrorCode != 0 {
		t.Fatal(got.ErrorCode, *got.ErrorMessage)
	}
	if r = beat(a, r.MemberEpoch); r.HeartbeatIntervalMillis != 7000 {
		t.Errorf("told to beat every %d ms", r.HeartbeatIntervalMillis)
	}
	stop(t, a)
	a = start(t, cfg)
	if r = beat(a, r.MemberEpoch); r.HeartbeatIntervalMillis != 7000 {
		t.Errorf("after a restart told to beat every %d ms", r.HeartbeatIntervalMillis)
	}
}
