package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestGroupConfigs compares with what Apache Kafka 4.3.1 answers about settings of one group.
func TestGroupConfigs(t *testing.T) {
	f := newFake()
	c := dial(t, serveFake(t, f))
	const session, beat = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
	for _, x := range []struct {
		group, name, value string
		want               code
		text               string
	}{
		{"g", session, "50000", 0, ""},
		{"g", session, "5", 40, session + " must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"g", session, "500000000", 40, session + " must be less than or equal to group.consumer.max.session.timeout.ms"},
		{"g", beat, "6000", 0, ""},
		{"g", beat, "1", 40, beat + " must be greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{"g", session, "x", 40, "Invalid value x for configuration " + session + ": Not a number of type INT"},
		{"g", "nosuch", "1", 40, "Unknown group config name: nosuch"},
		{"", session, "50000", 42, "Default group resources are not allowed."},
		{"g", "share.auto.offset.reset", "earliest", 40, "share groups are not supported yet"},
		{"g", "streams.num.standby.replicas", "1", 40, "streams groups are not supported yet"},
		{"g", "consumer.assignor.offload.enable", "true", 0, ""},
		{"g", "consumer.assignor.offload.enable", "false", 40, "computed by the coordinator"},
	} {
		r := alterRequest(kmsg.ConfigResourceTypeGroupConfig, x.group, x.name, &x.value, 0)
		got := ask[*kmsg.IncrementalAlterConfigsResponse](c, r, 1).Resources[0]
		if got.ErrorCode != x.want || !strings.Contains(text(got.ErrorMessage), x.text) {
			t.Errorf("%s=%s: %s %q", x.name, x.value, errorName(got.ErrorCode), text(got.ErrorMessage))
		}
	}
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.IncludeSynonyms = true
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
	q.Resources = append(q.Resources, res)
	var words []string
	for _, v := range ask[*kmsg.DescribeConfigsResponse](c, q, 4).Resources[0].Configs {
		words = append(words, fmt.Sprint(v.Name, "=", *v.Value, " ", v.Source, " ", len(v.ConfigSynonyms)))
	}
	want := "consumer.assignment.interval.ms=1000 DEFAULT_CONFIG 1," +
		"consumer.assignor.offload.enable=true GROUP_CONFIG 2," +
		beat + "=6000 GROUP_CONFIG 2," + session + "=50000 GROUP_CONFIG 2"
	if got := strings.Join(words, ","); got != want {
		t.Errorf("described %s\nwant %s", got, want)
	}
	l := kmsg.NewPtrListConfigResourcesRequest()
	l.ResourceTypes = []int8{int8(kmsg.ConfigResourceTypeGroupConfig)}
	if got := ask[*kmsg.ListConfigResourcesResponse](c, l, 1).ConfigResources; len(got) != 1 ||
		got[0].Name != "g" {
		t.Errorf("listed %+v", got)
	}
}
