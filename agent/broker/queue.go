package broker

// queue is a ring of the requests of a connection whose answers were not written yet, in order.
type queue struct {
	ring []*Request
	head int
	n    int
}

func newQueue(bound int) queue { return queue{ring: make([]*Request, min(bound, 8))} }

func (q *queue) len() int { return q.n }

func (q *queue) front() *Request {
	if q.n == 0 {
		return nil
	}
	return q.ring[q.head]
}

func (q *queue) at(i int) *Request { return q.ring[(q.head+i)%len(q.ring)] }

func (q *queue) push(r *Request) {
	if q.n == len(q.ring) {
		ring := make([]*Request, 2*len(q.ring))
		for i := range q.n {
			ring[i] = q.at(i)
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = r
	q.n++
}

func (q *queue) pop() *Request {
	r := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return r
}
