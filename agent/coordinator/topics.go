package coordinator

// The internal topics, which coordinators keep their state in.
const (
	OffsetsTopic      = "__consumer_offsets"
	TransactionsTopic = "__transaction_state"
)

// Internal reports whether a topic is one of them: clients may read but not write it.
func Internal(topic string) bool { return topic == OffsetsTopic || topic == TransactionsTopic }
