package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// updateFeatures answers UpdateFeatures (key 57): what is so already is confirmed, all else is
// refused, with or without validate-only.
func (h *Handler) updateFeatures(
	_ context.Context, version int16, req *kmsg.UpdateFeaturesRequest,
) *kmsg.UpdateFeaturesResponse {
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	for _, u := range req.FeatureUpdates {
		kind := updateType(u.UpgradeType)
		if version < 1 {
			kind = upgrade
		}
		why := refuseUpdate(h.backend.AgentID(), u.Feature, u.MaxVersionLevel, kind)
		if why != "" {
			f := fault{codeFeatureUpdate, "The update failed for all features since the following " +
				"feature had an error: " + why}
			resp.ErrorCode, resp.ErrorMessage, resp.Results = f.code, f.text(), nil
			return resp
		}
		done := kmsg.NewUpdateFeaturesResponseResult()
		done.Feature = u.Feature
		resp.Results = append(resp.Results, done)
	}
	return resp
}
