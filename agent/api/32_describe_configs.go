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

// describeConfigs answers DescribeConfigs (key 32) for topics, agents and groups. A resource that is
// asked for more than once is answered once, unlike in Kafka: an answer is many times its question.
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
		out.ErrorCode, out.ErrorMessage = f.code, &f.message
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
			return nil, fault{code: codeUnknownTopic}
		}
		return h.topicValues(t), fault{}
	case kmsg.ConfigResourceTypeBroker:
		if q.ResourceName == "" {
			c := h.backend.AgentConfigs(h.backend.AgentID())
			return givenValues(
				c.DynamicDefault, kmsg.ConfigSourceDynamicDefaultBrokerConfig), fault{}
		}
		id, f := h.agentNamed(q.ResourceName, "Broker id", " or empty string")
		if f.code != codeNone {
			return nil, f
		}
		return agentValues(h.backend.AgentConfigs(id)), fault{}
	case kmsg.ConfigResourceTypeGroupConfig:
		if q.ResourceName == "" {
			return nil, fault{codeInvalidRequest, "Group name must not be empty"}
		}
		return h.groupValues(q.ResourceName), fault{}
	case kmsg.ConfigResourceTypeBrokerLogger:
		_, f := h.agentNamed(q.ResourceName, "Broker id", "")
		return nil, f // there are no loggers
	case kmsg.ConfigResourceTypeClientMetrics:
		return nil, fault{codeInvalidRequest, "client metrics are not collected"}
	}
	return nil, fault{codeInvalidRequest, fmt.Sprintf(
		"settings of resource type %d are not served", q.ResourceType)}
}

// agentNamed parses an agent's id. what and orElse are the words of a refusal.
func (h *Handler) agentNamed(name, what, orElse string) (int32, fault) {
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return 0, fault{codeInvalidRequest, what + " must be an integer, but it is: " + name}
	}
	for _, a := range h.backend.Agents() {
		if a.ID == int32(n) {
			return a.ID, fault{}
		}
	}
	return 0, fault{codeInvalidRequest, fmt.Sprintf("Unexpected broker id, expected %d%s, but received %s",
		h.backend.AgentID(), orElse, name)}
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
