package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// An agent started with log.retention.hours kept records for that long and described its topics with
// the retention of a week.
func TestDescribeConfigsTellsOfHours(t *testing.T) {
	f := newFake()
	f.create(t, "t", 1)
	f.configs = AgentConfigs{
		DynamicDefault: map[string]string{"log.roll.ms": "1000"},
		Static: map[string]string{
			"log.retention.hours": "2", "log.retention.minutes": "90", "log.roll.hours": "5",
		},
	}
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
	q.ConfigNames = []string{"retention.ms", "segment.ms"}
	r := kmsg.NewPtrDescribeConfigsRequest()
	r.Resources, r.IncludeSynonyms = append(r.Resources, q), true
	resp := ask[*kmsg.DescribeConfigsResponse](dial(t, serveFake(t, f)), r, 4)
	got := resp.Resources[0].Configs
	if len(got) != 2 {
		t.Fatalf("%d settings", len(got))
	}
	retention, roll := got[0], got[1]
	if text(retention.Value) != "5400000" ||
		retention.Source != kmsg.ConfigSourceStaticBrokerConfig ||
		len(retention.ConfigSynonyms) != 2 ||
		retention.ConfigSynonyms[0].Name != "log.retention.minutes" ||
		text(retention.ConfigSynonyms[0].Value) != "90" {
		t.Errorf("retention.ms: %+v", retention)
	}
	if text(roll.Value) != "1000" || len(roll.ConfigSynonyms) != 2 {
		t.Errorf("segment.ms: %+v", roll)
	}
}
