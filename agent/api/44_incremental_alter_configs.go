package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

// configValueMax is how long a setting's value may be. Kafka's.
const configValueMax = 32767

// alteration is one resource of an AlterConfigs or IncrementalAlterConfigs request. edit changes
// a copy of the explicit settings and tells what is wrong.
type alteration struct {
	kind   kmsg.ConfigResourceType
	name   string
	legacy bool     // AlterConfigs, which replaces all
	names  []string // of the settings, as the request gives them
	nulls  []string // those that lack a value
	edit   func(explicit map[string]string, find finder) fault
}

// check tells what is wrong with the request itself. The words are Kafka's.
func (a *alteration) check() fault {
	seen := make(map[string]bool, len(a.names))
	for _, name := range a.names {
		if seen[name] {
			return fault{codeInvalidRequest, "Error due to duplicate config keys"}
		}
		seen[name] = true
	}
	if len(a.nulls) > 0 {
		return fault{
			codeInvalidRequest, "Null value not supported for : " + strings.Join(a.nulls, ", "),
		}
	}
	return fault{}
}

// finder finds a setting of a resource's kind.
type finder func(name string) (*settings.Setting, bool)

// incrementalAlterConfigs answers IncrementalAlterConfigs (key 44).
func (h *Handler) incrementalAlterConfigs(
	ctx context.Context, _ int16, req *kmsg.IncrementalAlterConfigsRequest,
) *kmsg.IncrementalAlterConfigsResponse {
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	as := make([]alteration, len(req.Resources))
	for i := range req.Resources {
		q := &req.Resources[i]
		as[i] = alteration{
			kind: q.ResourceType, name: q.ResourceName,
			edit: func(explicit map[string]string, find finder) fault {
				return editEach(q.Configs, explicit, find)
			},
		}
		for _, op := range q.Configs {
			as[i].names = append(as[i].names, op.Name)
			if op.Value == nil && op.Op != kmsg.IncrementalAlterConfigOpDelete {
				as[i].nulls = append(as[i].nulls, op.Name)
			}
		}
	}
	for i, f := range h.alter(ctx, as, req.ValidateOnly) {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = as[i].kind, as[i].name
		out.ErrorCode, out.ErrorMessage = f.code, f.text()
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

// editEach applies the operations of a request in order.
func editEach(
	ops []kmsg.IncrementalAlterConfigsRequestResourceConfig, explicit map[string]string, find finder,
) fault {
	for _, op := range ops {
		if op.Op == kmsg.IncrementalAlterConfigOpDelete {
			delete(explicit, op.Name)
			continue
		}
		if f := editOne(op, explicit, find); f.code != codeNone {
			return f
		}
	}
	return fault{}
}

// editOne sets a value or changes a list.
func editOne(
	op kmsg.IncrementalAlterConfigsRequestResourceConfig, explicit map[string]string, find finder,
) fault {
	switch op.Op {
	case kmsg.IncrementalAlterConfigOpSet:
		explicit[op.Name] = *op.Value
		return fault{}
	case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
	default:
		return fault{codeInvalidRequest, fmt.Sprintf("Unknown operation type %d", op.Op)}
	}
	s, ok := find(op.Name)
	if !ok || s.Type != settings.List {
		return fault{codeInvalidConfig, fmt.Sprintf(
			"Can't %s to key %s because its type is not LIST.", op.Op, op.Name)}
	}
	text, given := explicit[op.Name]
	if !given {
		text = s.Default
	}
	list := settings.SplitList(text)
	for _, item := range settings.SplitList(*op.Value) {
		at := slices.Index(list, item)
		switch {
		case op.Op == kmsg.IncrementalAlterConfigOpAppend && at < 0:
			list = append(list, item)
		case op.Op == kmsg.IncrementalAlterConfigOpSubtract && at >= 0:
			list = slices.Delete(list, at, at+1)
		}
	}
	explicit[op.Name] = strings.Join(list, ",")
	return fault{}
}

// alter validates and makes alterations, and answers one fault for each.
func (h *Handler) alter(ctx context.Context, as []alteration, validateOnly bool) []fault {
	faults := make([]fault, len(as))
	var changes []ConfigChange
	var at []int // index in as of each in changes
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	times := make(map[resource]int, len(as))
	for _, a := range as {
		times[resource{a.kind, a.name}]++
	}
	for i, a := range as {
		if times[resource{a.kind, a.name}] > 1 {
			faults[i] = fault{codeInvalidRequest, "Each resource must appear at most once."}
			continue
		}
		change, f := h.change(a)
		if faults[i] = f; f.code == codeNone {
			changes, at = append(changes, change), append(at, i)
		}
	}
	if len(changes) == 0 {
		return faults
	}
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	for i, err := range h.backend.AlterConfigs(ctx, changes, validateOnly) {
		faults[at[i]] = adminFault(err)
	}
	return faults
}

// change validates one alteration and states it as a difference.
func (h *Handler) change(a alteration) (ConfigChange, fault) {
	if f := a.check(); f.code != codeNone {
		return ConfigChange{}, f
	}
	refused := fmt.Sprintf("Unknown resource type %d", a.kind)
	switch {
	case a.kind == kmsg.ConfigResourceTypeTopic:
		return h.topicChange(a)
	case a.kind == kmsg.ConfigResourceTypeBroker:
		return h.agentChange(a)
	case a.kind == kmsg.ConfigResourceTypeGroupConfig:
		return h.groupChange(a)
	case a.kind == kmsg.ConfigResourceTypeBrokerLogger && !a.legacy:
		refused = "there are no loggers whose level can be set"
	case a.kind == kmsg.ConfigResourceTypeClientMetrics:
		refused = "client metrics are not collected"
	}
	return ConfigChange{}, fault{codeInvalidRequest, refused}
}

func (h *Handler) topicChange(a alteration) (ConfigChange, fault) {
	if a.name == "" {
		return ConfigChange{}, fault{codeInvalidRequest, "Default topic resources are not allowed."}
	}
	t, ok := h.backend.Topic(a.name)
	if reason := settings.ValidTopicName(a.name); !ok && reason != "" {
		return ConfigChange{}, fault{codeInvalidTopic, "Topic name is invalid: " + reason}
	}
	if !ok {
		return ConfigChange{}, fault{
			codeUnknownTopic, fmt.Sprintf("The topic '%s' does not exist.", a.name),
		}
	}
	set, del, f := difference(a, t.Configs, settings.TopicSetting)
	if f.code != codeNone {
		return ConfigChange{}, f
	}
	if f := h.checkTopicConfigs(merged(t.Configs, set, del)); f.code != codeNone {
		return ConfigChange{}, f
	}
	return ConfigChange{Topic: t.ID, Set: set, Delete: del}, fault{}
}

func (h *Handler) groupChange(a alteration) (ConfigChange, fault) {
	if a.name == "" {
		return ConfigChange{}, fault{codeInvalidRequest, "Default group resources are not allowed."}
	}
	explicit := h.backend.GroupConfigs(a.name)
	set, del, f := difference(a, explicit, settings.GroupSetting)
	if f.code != codeNone {
		return ConfigChange{}, f
	}
	err := settings.ValidateGroup(merged(explicit, set, del), h.backend.AgentSettings())
	if err != nil {
		return ConfigChange{}, settingFault(err, "Unknown group config name: ")
	}
	return ConfigChange{Group: a.name, Set: set, Delete: del}, fault{}
}

func (h *Handler) agentChange(a alteration) (ConfigChange, fault) {
	var change ConfigChange
	var explicit map[string]string
	if a.name == "" {
		change.AllAgents = true
		explicit = h.backend.AgentConfigs(h.backend.AgentID()).DynamicDefault
	} else {
		id, f := h.agentNamed(a.name, "Node id", "")
		if f.code != codeNone {
			return change, f
		}
		change.Agent, explicit = id, h.backend.AgentConfigs(id).Dynamic
	}
	set, del, f := difference(a, explicit, settings.AgentSetting)
	if f.code != codeNone {
		return change, f
	}
	for name := range set {
		if s, ok := settings.AgentSetting(name); ok && s.ReadOnly {
			return change, fault{
				codeInvalidRequest, "Cannot update these configs dynamically: [" + name + "]",
			}
		}
	}
	if err := settings.ValidateAgent(merged(explicit, set, del)); err != nil {
		f := settingFault(err, "Unknown broker config name: ")
		var s *settings.Error
		if asSetting(err, &s) && !s.Unknown {
			f.code = codeInvalidRequest // as Kafka, unlike for topics
		}
		return change, f
	}
	change.Set, change.Delete = set, del
	return change, fault{}
}

// difference runs an alteration on a copy of the explicit settings and tells what it changed.
func difference(
	a alteration, explicit map[string]string, find finder,
) (set map[string]string, del []string, f fault) {
	after := merged(explicit, nil, nil)
	if f = a.edit(after, find); f.code != codeNone {
		return nil, nil, f
	}
	set = make(map[string]string)
	for name, text := range after {
		if len(text) > configValueMax {
			return nil, nil, fault{codeInvalidConfig, fmt.Sprintf("The configuration value cannot be "+
				"added because it exceeds the maximum value size of %d bytes.", configValueMax)}
		}
		if old, ok := explicit[name]; !ok || old != text {
			set[name] = text
		}
	}
	for name := range explicit {
		if _, ok := after[name]; !ok {
			del = append(del, name)
		}
	}
	slices.Sort(del)
	return set, del, fault{}
}

// merged is a copy of explicit settings with a difference applied.
func merged(explicit, set map[string]string, del []string) map[string]string {
	out := make(map[string]string, len(explicit)+len(set))
	for name, text := range explicit {
		out[name] = text
	}
	for name, text := range set {
		out[name] = text
	}
	for _, name := range del {
		delete(out, name)
	}
	return out
}
