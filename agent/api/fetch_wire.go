package api

import "encoding/binary"

// encodeHead appends an answer up to its partitions: their topics' count is the last of it.
func (f *fetch) encodeHead(b []byte, c code, session int32, topics int) []byte {
	v := f.r.Version
	b = appendInt32(b, 0) // throttle time
	if v >= 7 {
		b = appendInt16(b, c)
		b = appendInt32(b, session)
	}
	b = appendCount(b, topics, v >= 12)
	if v >= 12 && topics == 0 {
		b = append(b, 0)
	}
	return b
}

// run is how many of the parts from one on are of its topic: they are written together.
func run(parts []*fetchPart) int {
	n := 1
	for n < len(parts) && parts[n].name == parts[0].name && parts[n].id == parts[0].id {
		n++
	}
	return n
}

// encode gives the answer as parts: the encoded fields in one buffer, cut where records go, and the
// records as they were read.
func (f *fetch) encode(
	answered []*fetchPart, session int32, c code,
) (head []byte, parts [][]byte, release func()) {
	type cut struct {
		at   int
		part *fetchPart
	}
	v := f.r.Version
	flexible := v >= 12
	var cuts []cut
	var nodes []Agent
	topics := 0
	for i := 0; i < len(answered); topics++ {
		i += run(answered[i:])
	}
	b := f.encodeHead(f.r.Begin(), c, session, topics)
	for len(answered) > 0 {
		t := answered[:run(answered)]
		answered = answered[len(t):]
		if f.byID {
			b = append(b, t[0].id[:]...)
		} else {
			b = appendString(b, t[0].name, flexible)
		}
		b = appendCount(b, len(t), flexible)
		for _, p := range t {
			b = p.encode(b, v, f.committed)
			if len(p.data.Records) > 0 {
				cuts = append(cuts, cut{len(b), p})
			}
			b = p.encodeTags(b, v)
			if v >= 16 && p.leader >= 0 {
				nodes = f.h.addNode(nodes, p.leader)
			}
			f.h.metrics.failed("Fetch", p.code)
		}
		if flexible {
			b = append(b, 0)
		}
	}
	if flexible && topics > 0 {
		b = appendNodesTag(b, nodes)
	}
	parts = f.r.Parts()
	from := 0
	for _, c := range cuts {
		parts = append(parts, b[from:c.at])
		parts = append(parts, c.part.data.Records...)
		from = c.at
	}
	return b, append(parts, b[from:]), f.release
}

// encode appends a partition up to its records.
func (p *fetchPart) encode(b []byte, v int16, committed bool) []byte {
	b = appendInt32(b, p.partition)
	c := p.code
	if v <= 5 && c == codeStorage {
		c = codeNotLeader // clients of that age know no other way to make them ask again
	}
	b = appendInt16(b, c)
	o := p.offsets
	if p.code != codeNone {
		o = Offsets{HighWatermark: -1, LastStable: -1, LogStart: -1}
	}
	b = appendInt64(b, int64(o.HighWatermark))
	b = appendInt64(b, int64(o.LastStable))
	if v >= 5 {
		b = appendInt64(b, int64(o.LogStart))
	}
	b = p.encodeAborted(b, v >= 12, committed)
	if v >= 11 {
		b = appendInt32(b, -1) // preferred read replica
	}
	size := 0
	for _, r := range p.data.Records {
		size += len(r)
	}
	if v >= 12 {
		return binary.AppendUvarint(b, uint64(size+1))
	}
	return appendInt32(b, int32(size))
}

// encodeAborted appends the aborted transactions: null unless the client reads committed only.
func (p *fetchPart) encodeAborted(b []byte, flexible, committed bool) []byte {
	if !committed {
		return appendCount(b, -1, flexible)
	}
	b = appendCount(b, len(p.data.Aborted), flexible)
	for _, a := range p.data.Aborted {
		b = appendInt64(b, int64(a.ProducerID))
		b = appendInt64(b, int64(a.FirstOffset))
		if flexible {
			b = append(b, 0)
		}
	}
	return b
}

// encodeTags appends a partition's tagged fields, which follow its records.
func (p *fetchPart) encodeTags(b []byte, v int16) []byte {
	if v < 12 {
		return b
	}
	leader := v >= 16 && p.leader >= 0
	switch {
	case p.diverging != nil: // no leader hint goes with it: that is told with errors only
		b = append(b, 1, 0, 13)
		b = appendInt32(b, int32(p.diverging.Epoch))
		b = appendInt64(b, int64(p.diverging.End))
		return append(b, 0)
	case leader:
		return appendLeaderTag(append(b, 1), 1, p.leader, p.epoch)
	}
	return append(b, 0)
}
