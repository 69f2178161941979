package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
)

// apiVersions answers ApiVersions (key 18). A version that is not known is answered in version 0
// with UNSUPPORTED_VERSION and the versions of ApiVersions itself, as Kafka does (KIP-511).
func (h *Handler) apiVersions(_ context.Context, r *broker.Request) error {
	resp := kmsg.NewPtrApiVersionsResponse()
	self := h.byKey[r.Key]
	if r.Version < self.min || r.Version > self.max {
		resp.ErrorCode = codeUnsupported
		resp.ApiKeys = append(resp.ApiKeys, versionsOf(self))
		r.Respond(resp.AppendTo(r.Begin()))
		return nil
	}
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, resp.Version = r.Version, r.Version
	if err := req.ReadFrom(r.Body); err != nil {
		return err
	}
	switch {
	case r.Version >= 3 && !(validSoftware(req.ClientSoftwareName) &&
		validSoftware(req.ClientSoftwareVersion)):
		resp.ErrorCode = codeInvalidRequest
	default:
		for i := range h.endpoints {
			resp.ApiKeys = append(resp.ApiKeys, versionsOf(&h.endpoints[i]))
		}
		addFeatures(resp)
	}
	r.Respond(resp.AppendTo(r.Begin()))
	return nil
}

// addFeatures tells the features (KIP-584): clients choose the versions of transactions and groups by
// them. Old clients cannot read a range that begins at 0, so that it is left out below version 4.
func addFeatures(resp *kmsg.ApiVersionsResponse) {
	if resp.Version < 3 {
		return
	}
	resp.FinalizedFeaturesEpoch = featuresEpoch
	for _, f := range features() {
		if f.min > 0 || resp.Version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		a := kmsg.NewApiVersionsResponseFinalizedFeature()
		a.Name, a.MinVersionLevel, a.MaxVersionLevel = f.name, f.active, f.active
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, a)
	}
}

func versionsOf(e *endpoint) kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = e.key, e.min, e.max
	return k
}

// validSoftware checks a client's name or version by KIP-511: letters, digits, '-' and '.', which
// do not stand at the ends.
func validSoftware(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		inner := (c == '-' || c == '.') && i > 0 && i < len(s)-1
		if !inner && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
