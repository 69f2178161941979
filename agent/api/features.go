package api

import "fmt"

// feature is one of Kafka's cluster features (KIP-584): the levels that the agents can work at and
// the level that they do work at.
type feature struct {
	name             string
	min, max, active int16
}

// featuresEpoch is told with the active levels; clients keep to the highest that they saw. It grows
// with every release that changes a level.
const featuresEpoch = 1

// features are those of Kafka 4.3 that have a meaning here. A level is the release's, not the
// cluster's: it is never stored and cannot be changed.
func features() []feature {
	return []feature{
		{name: "group.version", min: 0, max: 1, active: 1},
		{name: "metadata.version", min: 7, max: 30, active: 30},
		{name: "transaction.version", min: 0, max: 2, active: 2},
	}
}

// updateType is the direction of a change of a feature's level (KIP-778).
type updateType int8

const (
	upgrade         updateType = 1
	safeDowngrade   updateType = 2
	unsafeDowngrade updateType = 3
)

// refuseUpdate says why a feature cannot be brought to a level; empty: it is there. The words are
// Kafka's as far as Kafka would refuse too.
func refuseUpdate(agent int32, name string, level int16, kind updateType) string {
	invalid := func(why string) string {
		return fmt.Sprintf("Invalid update version %d for feature %s. %s", level, name, why)
	}
	switch {
	case kind < upgrade || kind > unsafeDowngrade:
		return invalid("The controller does not support the given upgrade type.")
	case level < 0:
		return invalid("A feature version cannot be less than 0.")
	}
	f, ok := featureNamed(name)
	switch {
	case !ok && level > 0:
		return invalid(fmt.Sprintf("Local controller %d does not support this feature.", agent))
	case !ok:
		return invalid(fmt.Sprintf("Feature %s not found.", name))
	case level < f.min || level > f.max:
		return invalid(fmt.Sprintf(
			"Local controller %d only supports versions %d-%d", agent, f.min, f.max))
	case level == f.active:
		return ""
	case kind == upgrade: // all are at their highest level
		return invalid("Can't downgrade the version of this feature without setting the " +
			"upgrade type to either safe or unsafe downgrade.")
	case name != "metadata.version":
		return invalid("The level of a feature is that of the agents' release; it cannot be changed.")
	case kind == safeDowngrade:
		return fmt.Sprintf("Unsupported metadata.version downgrade from %d to %d. Refusing to perform "+
			"the requested downgrade because it might delete metadata information.", f.active, level)
	}
	return fmt.Sprintf("Unsupported metadata.version downgrade from %d to %d. "+
		"Unsafe metadata downgrade is not supported in this version.", f.active, level)
}

func featureNamed(name string) (feature, bool) {
	for _, f := range features() {
		if f.name == name {
			return f, true
		}
	}
	return feature{}, false
}
