package api

import "encoding/binary"

// encodeHead appends an answer without partitions but for their count.
func (f *fetch) encodeHead(b []byte, c code, topics int) []byte {
	v := f.r.Version
	b = appendInt32(b, 0) // throttle time
	if v >= 7 {
		b = appendInt16(b, c)
		b = appendInt32(b, 0) // session id: none
	}
	b = appendCount(b, topics, v >= 12)
	if v >= 12 && topics == 0 {
		b = append(b, 0)
	}
	return b
}

// encode gives the answer as parts: the encoded fields in one buffer, cut where records go, and the
// records as they were read.
func (f *fetch) encode() (head []byte, parts [][]byte, release func()) {
	type cut struct {
		at   int
		part *fetchPart
	}
	v := f.r.Version
	flexible := v >= 12
	var cuts []cut
	var nodes []Agent
	b := f.encodeHead(f.r.Begin(), codeNone, len(f.topics))
	for i := range f.topics {
		t := &f.topics[i]
		if v >= 13 {
			b = append(b, t.id[:]...)
		} else {
			b = appendString(b, t.name, flexible)
		}
		b = appendCount(b, t.till-t.from, flexible)
		for _, p := range f.parts[t.from:t.till] {
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
	if flexible && len(f.topics) > 0 {
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
	b = appendInt32(b, p.req.Partition)
	b = appendInt16(b, p.code)
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
	switch {
	case v >= 12 && p.leader >= 0:
		return appendLeaderTag(append(b, 1), 1, p.leader, p.epoch)
	case v >= 12:
		return append(b, 0)
	}
	return b
}
