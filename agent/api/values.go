package api

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

// value is a setting's effective value, where it comes from, and what it would be without that.
type value struct {
	setting  *settings.Setting
	value    string
	source   kmsg.ConfigSource
	synonyms []synonym
}

// synonym is one source that gives a value, the winning one first.
type synonym struct {
	name, value string
	source      kmsg.ConfigSource
	means       string // the value in the setting's own unit, where that is another
}

// topicValues lists a topic's effective settings by name.
func (h *Handler) topicValues(t *Topic) []value {
	agent := h.backend.AgentConfigs(h.backend.AgentID())
	out := make([]value, 0, len(settings.TopicSettings()))
	for _, s := range settings.TopicSettings() {
		explicit, given := t.Configs[s.Name]
		if s.Hidden && !given {
			continue
		}
		v := value{setting: s}
		if given {
			v.add(s.Name, explicit, kmsg.ConfigSourceDynamicTopicConfig)
		}
		if s.AgentName != "" {
			v.addAgent(s.AgentName, agent)
			v.addCoarser(agent)
			if a, ok := settings.AgentSetting(s.AgentName); ok && a.Default != "" {
				v.add(a.Name, a.Default, kmsg.ConfigSourceDefaultConfig)
			}
		}
		if v = v.settle(); s.Name == "remote.storage.enable" && !given && t.Settings.Compacts() {
			v.value = "false"
		}
		out = append(out, v)
	}
	return out
}

// groupValues lists a group's effective settings by name.
func (h *Handler) groupValues(group string) []value {
	agent, explicit := h.backend.AgentConfigs(h.backend.AgentID()), h.backend.GroupConfigs(group)
	out := make([]value, 0, len(settings.GroupSettings()))
	for _, s := range settings.GroupSettings() {
		v := value{setting: s}
		if text, ok := explicit[s.Name]; ok {
			v.add(s.Name, text, kmsg.ConfigSourceGroupConfig)
		}
		v.addAgent(s.AgentName, agent)
		if a, ok := settings.AgentSetting(s.AgentName); ok {
			v.add(a.Name, a.Default, kmsg.ConfigSourceDefaultConfig)
		}
		out = append(out, v.settle())
	}
	return out
}

// agentValues lists an agent's effective settings by name.
func agentValues(c AgentConfigs) []value {
	out := make([]value, 0, len(settings.AgentSettings()))
	for _, s := range settings.AgentSettings() {
		v := value{setting: s}
		v.addAgent(s.Name, c)
		if s.Default != "" {
			v.add(s.Name, s.Default, kmsg.ConfigSourceDefaultConfig)
		}
		out = append(out, v.settle())
	}
	return out
}

// givenValues lists settings as they were given.
func givenValues(configs map[string]string, source kmsg.ConfigSource) []value {
	var out []value
	for name, text := range configs {
		if s, ok := settings.AgentSetting(name); ok {
			v := value{setting: s}
			v.add(name, text, source)
			out = append(out, v.settle())
		}
	}
	slices.SortFunc(out, func(a, b value) int { return cmp.Compare(a.setting.Name, b.setting.Name) })
	return out
}

func (v *value) add(name, text string, source kmsg.ConfigSource) {
	v.synonyms = append(v.synonyms, synonym{name: name, value: text, source: source})
}

// addAgent adds an agent's explicit values of a setting, the winning one first.
func (v *value) addAgent(name string, c AgentConfigs) {
	if text, ok := c.Dynamic[name]; ok {
		v.add(name, text, kmsg.ConfigSourceDynamicBrokerConfig)
	}
	if text, ok := c.DynamicDefault[name]; ok {
		v.add(name, text, kmsg.ConfigSourceDynamicDefaultBrokerConfig)
	}
	if text, ok := c.Static[name]; ok {
		v.add(name, text, kmsg.ConfigSourceStaticBrokerConfig)
	}
}

// addCoarser adds an agent's explicit values in larger units. They are read-only: given at start.
func (v *value) addCoarser(c AgentConfigs) {
	for _, coarser := range v.setting.Coarser {
		text, given := c.Static[coarser.Name]
		if millis, ok := coarser.Millis(text); given && ok {
			v.synonyms = append(v.synonyms, synonym{
				coarser.Name, text, kmsg.ConfigSourceStaticBrokerConfig, millis,
			})
		}
	}
}

// settle takes the first synonym's value, or the default.
func (v *value) settle() value {
	v.value, v.source = v.setting.Default, kmsg.ConfigSourceDefaultConfig
	if len(v.synonyms) > 0 {
		first := v.synonyms[0]
		v.value, v.source = cmp.Or(first.means, first.value), first.source
	}
	return *v
}

// checkTopicConfigs validates a topic's explicit settings.
func (h *Handler) checkTopicConfigs(configs map[string]string) fault {
	err := settings.ValidateTopic(configs, h.backend.AgentSettings())
	if err == nil {
		return fault{}
	}
	return settingFault(err, "Unknown topic config name: ")
}

// settingFault words a refused setting as Kafka does.
func settingFault(err error, unknown string) fault {
	var s *settings.Error
	if f := faultOf(err); !asSetting(err, &s) || !s.Unknown {
		return f
	}
	return fault{codeInvalidConfig, unknown + s.Name}
}
