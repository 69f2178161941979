// Package settings is the table of Kafka's topic and agent settings: name, type, default, bounds
// and what they mean, with validation and a typed view.
//
// Every topic setting of Kafka 4.3 is in the table and is either honoured or refused by name: one
// that is not honoured accepts Kafka's default value only, because tools send whole sets of
// settings, and anything else is refused with the reason. What Kafka has no name for starts with
// "varve.". One default differs from Kafka's: remote.storage.enable is true.
//
// Callers: agent/api for validation and descriptions, agent and agent/partition for the typed
// views. Everything here is pure; values are immutable after they are made.
//
// Failure: *Error names the setting, the value and the cause.
//
// Not here: where settings are stored (catalog/cluster) and Kafka's error codes (agent/api).
package settings
