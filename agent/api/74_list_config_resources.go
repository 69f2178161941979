package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// configKinds are the kinds of resources that Kafka has settings for.
var configKinds = []kmsg.ConfigResourceType{
	kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker,
	kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics,
	kmsg.ConfigResourceTypeGroupConfig,
}

// listConfigResources answers ListConfigResources (key 74). Version 0 is about client metrics only
// (KIP-1000), of which there are none; there are no loggers that could be set either.
func (h *Handler) listConfigResources(
	_ context.Context, version int16, req *kmsg.ListConfigResourcesRequest,
) *kmsg.ListConfigResourcesResponse {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	if version < 1 {
		return resp
	}
	for _, kind := range req.ResourceTypes {
		if !slices.Contains(configKinds, kmsg.ConfigResourceType(kind)) {
			resp.ErrorCode = codeUnsupported
			return resp
		}
	}
	add := func(kind kmsg.ConfigResourceType, name string) {
		o := kmsg.NewListConfigResourcesResponseConfigResource()
		o.Name, o.Type = name, int8(kind)
		resp.ConfigResources = append(resp.ConfigResources, o)
	}
	asked := func(kind kmsg.ConfigResourceType) bool {
		return len(req.ResourceTypes) == 0 || slices.Contains(req.ResourceTypes, int8(kind))
	}
	if asked(kmsg.ConfigResourceTypeGroupConfig) {
		for _, name := range h.backend.GroupsConfigured() {
			add(kmsg.ConfigResourceTypeGroupConfig, name)
		}
	}
	if asked(kmsg.ConfigResourceTypeBroker) {
		for _, a := range h.backend.Agents() {
			if !a.Fenced {
				add(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(a.ID)))
			}
		}
	}
	if asked(kmsg.ConfigResourceTypeTopic) {
		for _, t := range h.backend.AllTopics() {
			add(kmsg.ConfigResourceTypeTopic, t.Name)
		}
	}
	return resp
}
