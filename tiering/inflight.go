package tiering

import "github.com/varve-log/varve/kafka"

// Has reports whether a partition is in the Sealer's care.
func (s *Sealer) Has(tp kafka.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[tp] != nil
}
