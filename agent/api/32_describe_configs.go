package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

func asSetting(err error, target **settings.Error) bool { return errors.As(err, target) }

// describeConfigs answers DescribeConfigs (key 32) for topics and agents. A resource that is
// asked for more than once is answered once.
func (h *Handler) describeConfigs(
	_ context.Context, version int16, req *kmsg.DescribeConfigsRequest,
) *kmsg.DescribeConfigsResponse {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	seen := make(map[resource]bool)
	for i := range req.Resources {
		q := &req.Resources[i]
		key := resource{q.ResourceType, q.ResourceName}
		if seen[key] {
			continue
		}
		seen[key] = true
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = q.ResourceType, q.ResourceName
		values, f := h.resourceValues(q)
		out.ErrorCode, out.ErrorMessage = f.code, f.text()
		for _, v := range values {
			if q.ConfigNames != nil && !slices.Contains(q.ConfigNames, v.setting.Name) {
				continue
			}
			out.Configs = append(out.Configs, describe(v, version, req))
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

// resourceValues lists the settings of a resource.
func (h *Handler) resourceValues(q *kmsg.DescribeConfigsRequestResource) ([]value, fault) {
	switch q.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if reason := settings.ValidTopicName(q.ResourceName); reason != "" {
			return nil, fault{codeInvalidTopic, "Topic name is invalid: " + reason}
		}
		t, ok := h.backend.Topic(q.ResourceName)
		if !ok {
			return nil, fault{codeUnknownTopic, "This server does not host this topic-partition."}
		}
		return h.topicValues(t), fault{}
	case kmsg.ConfigResourceTypeBroker:
		if q.ResourceName == "" {
			c := h.backend.AgentConfigs(h.backend.AgentID())
			return givenValues(
				c.DynamicDefault, kmsg.ConfigSourceDynamicDefaultBrokerConfig), fault{}
		}
		id, f := h.agentNamed(q.ResourceName)
		if f.code != codeNone {
			return nil, f
		}
		return agentValues(h.backend.AgentConfigs(id)), fault{}
	}
	return nil, fault{codeInvalidRequest, fmt.Sprintf(
		"settings of resource type %d are not served, only those of topics (2) and brokers (4)",
		q.ResourceType)}
}

// agentNamed parses an agent's id.
func (h *Handler) agentNamed(name string) (int32, fault) {
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return 0, fault{codeInvalidRequest, "Broker id must be an integer, but it is: " + name}
	}
	for _, a := range h.backend.Agents() {
		if a.ID == int32(n) {
			return a.ID, fault{}
		}
	}
	return 0, fault{codeInvalidRequest, "Unexpected broker id, no broker has the id " + name}
}

// describe writes one setting.
func describe(
	v value, version int16, req *kmsg.DescribeConfigsRequest,
) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.Source = v.setting.Name, &v.value, v.source
	if v.value == "" && v.setting.Type != settings.List {
		c.Value = nil
	}
	c.IsDefault = v.source == kmsg.ConfigSourceDefaultConfig
	c.ReadOnly = v.setting.ReadOnly
	if req.IncludeSynonyms {
		for _, s := range v.synonyms {
			o := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			o.Name, o.Value, o.Source = s.name, &s.value, s.source
			c.ConfigSynonyms = append(c.ConfigSynonyms, o)
		}
	}
	if version >= 3 {
		c.ConfigType = kmsg.ConfigType(v.setting.Type)
		if req.IncludeDocumentation {
			c.Documentation = &v.setting.Doc
		}
	}
	return c
}
