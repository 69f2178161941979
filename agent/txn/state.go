package txn

// State is where a transactional id stands. The numbers are those of the log's records.
type State int8

// The states, with Kafka's meaning. Dead and PrepareEpochFence are never reached here: Kafka passes
// through them without writing them. They are known as names to filter by.
const (
	Empty             State = 0
	Ongoing           State = 1
	PrepareCommit     State = 2
	PrepareAbort      State = 3
	CompleteCommit    State = 4
	CompleteAbort     State = 5
	Dead              State = 6
	PrepareEpochFence State = 7
)

var stateNames = [...]string{
	"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
	"PrepareEpochFence",
}

// String is the name that Kafka's tools show.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "Unknown"
	}
	return stateNames[s]
}

// StateOf finds a state by its name.
func StateOf(name string) (State, bool) {
	for i, n := range stateNames {
		if n == name {
			return State(i), true
		}
	}
	return 0, false
}

// ending reports a transaction whose outcome is decided and whose markers are not all written.
func (s State) ending() bool { return s == PrepareCommit || s == PrepareAbort }

// idle reports that no transaction runs, so that the id may expire.
func (s State) idle() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }
