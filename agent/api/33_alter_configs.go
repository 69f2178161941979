package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterConfigs answers AlterConfigs (key 33), which replaces all explicit settings of a resource.
func (h *Handler) alterConfigs(
	ctx context.Context, _ int16, req *kmsg.AlterConfigsRequest,
) *kmsg.AlterConfigsResponse {
	resp := kmsg.NewPtrAlterConfigsResponse()
	as := make([]alteration, len(req.Resources))
	for i := range req.Resources {
		q := &req.Resources[i]
		as[i] = alteration{
			kind: q.ResourceType, name: q.ResourceName, legacy: true,
			edit: func(explicit map[string]string, _ finder) fault {
				clear(explicit)
				for _, c := range q.Configs {
					explicit[c.Name] = *c.Value
				}
				return fault{}
			},
		}
		for _, c := range q.Configs {
			as[i].names = append(as[i].names, c.Name)
			if c.Value == nil {
				as[i].nulls = append(as[i].nulls, c.Name)
			}
		}
	}
	for i, f := range h.alter(ctx, as, req.ValidateOnly) {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = as[i].kind, as[i].name
		out.ErrorCode, out.ErrorMessage = f.code, f.text()
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}
