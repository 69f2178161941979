package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFeaturesChooseProtocols: a Java client 4.x takes transaction version 2 and the consumer group
// protocol from what ApiVersions tells.
func TestFeaturesChooseProtocols(t *testing.T) {
	c := dial(t, serveFake(t, newFake()))
	for v := int16(3); v <= 4; v++ {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
		resp := ask[*kmsg.ApiVersionsResponse](c, req, v)
		var supported, active []string
		for _, f := range resp.SupportedFeatures {
			supported = append(supported, fmt.Sprint(f.Name, f.MinVersion, f.MaxVersion))
		}
		for _, f := range resp.FinalizedFeatures {
			active = append(active, fmt.Sprint(f.Name, f.MinVersionLevel, f.MaxVersionLevel))
		}
		want := "group.version0 1 metadata.version7 30 transaction.version0 2"
		if v < 4 {
			want = "metadata.version7 30"
		}
		if got := strings.Join(supported, " "); got != want {
			t.Errorf("version %d: supported %s, want %s", v, got, want)
		}
		want = "group.version1 1 metadata.version30 30 transaction.version2 2"
		if got := strings.Join(active, " "); got != want || resp.FinalizedFeaturesEpoch < 0 {
			t.Errorf("version %d: active %s, want %s", v, got, want)
		}
	}
}

// TestUpdateFeatures compares with what Apache Kafka 4.3.1 answers, but for downgrades that it makes.
func TestUpdateFeatures(t *testing.T) {
	c := dial(t, serveFake(t, newFake()))
	for _, q := range []struct {
		version     int16
		name        string
		level       int16
		kind        int8
		message     string // empty: done
		resultsWant int
	}{
		{version: 1, name: "transaction.version", level: 2, kind: 1, resultsWant: 1},
		{version: 2, name: "transaction.version", level: 2, kind: 2},
		{version: 0, name: "transaction.version", level: 2, kind: 9, resultsWant: 1},
		{version: 2, name: "transaction.version", level: 3, kind: 1, message: "Invalid update version 3 " +
			"for feature transaction.version. Local controller 1 only supports versions 0-2"},
		{version: 2, name: "transaction.version", level: 1, kind: 1, message: "Invalid update version 1 " +
			"for feature transaction.version. Can't downgrade the version of this feature without " +
			"setting the upgrade type to either safe or unsafe downgrade."},
		{version: 2, name: "transaction.version", level: -1, kind: 2, message: "Invalid update version " +
			"-1 for feature transaction.version. A feature version cannot be less than 0."},
		{version: 2, name: "transaction.version", level: 2, message: "Invalid update version 2 for " +
			"feature transaction.version. The controller does not support the given upgrade type."},
		{version: 2, name: "group.version", level: 0, kind: 2, message: "Invalid update version 0 for " +
			"feature group.version. The level of a feature is that of the agents' release; it cannot " +
			"be changed."},
		{version: 2, name: "nosuch", level: 1, kind: 1, message: "Invalid update version 1 for feature " +
			"nosuch. Local controller 1 does not support this feature."},
		{version: 2, name: "nosuch", level: 0, kind: 1, message: "Invalid update version 0 for feature " +
			"nosuch. Feature nosuch not found."},
		{version: 2, name: "metadata.version", level: 8, kind: 2, message: "Unsupported " +
			"metadata.version downgrade from 30 to 8. Refusing to perform the requested downgrade " +
			"because it might delete metadata information."},
		{version: 2, name: "metadata.version", level: 29, kind: 3, message: "Unsupported " +
			"metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in " +
			"this version."},
	} {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel, u.UpgradeType = q.name, q.level, q.kind
		req.FeatureUpdates = append(req.FeatureUpdates, u)
		resp := ask[*kmsg.UpdateFeaturesResponse](c, req, q.version)
		want, message := "0 ", ""
		if q.message != "" {
			want = "95 The update failed for all features since the following feature had an error: " +
				q.message
		}
		if resp.ErrorMessage != nil {
			message = *resp.ErrorMessage
		}
		if got := fmt.Sprint(resp.ErrorCode, " ", message); got != want ||
			len(resp.Results) != q.resultsWant {
			t.Errorf("%s to %d by %d: %s and %d results, want %s", q.name, q.level, q.kind, got,
				len(resp.Results), want)
		}
	}
}
