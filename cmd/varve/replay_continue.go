package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/varve-log/varve/kafka"
)

// markEvery is how often a resumable output notes how far it is.
const markEvery = time.Second

// mark is what stands beside an unfinished output: how many bytes of it are whole, and the offset at
// which each partition goes on.
type mark struct {
	Topic   string                 `json:"topic"`
	TopicID kafka.TopicID          `json:"topic_id"`
	Output  replayOutput           `json:"output"`
	Bytes   int64                  `json:"bytes"`
	Next    map[int32]kafka.Offset `json:"next"`
	End     map[int32]kafka.Offset `json:"end"`
}

// resumable is an output file that an interrupted replay can go on with.
type resumable struct {
	job    *replayJob
	f      *os.File
	w      *bufio.Writer
	mark   mark
	marked time.Time
}

func markPath(out string) string { return out + ".varve-replay" }

// openResumable begins --out, or goes on where an earlier run stopped.
func openResumable(j *replayJob) (*resumable, error) {
	r := &resumable{job: j, mark: mark{
		Topic: j.topic, TopicID: j.topicID, Output: j.output,
		Next: map[int32]kafka.Offset{}, End: map[int32]kafka.Offset{},
	}}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if j.goOn {
		if err := r.load(); err != nil {
			return nil, err
		}
		flags = os.O_WRONLY
	}
	for i, p := range j.parts {
		n := p.manifest.TP().Partition
		if j.goOn {
			if _, known := r.mark.Next[n]; !known {
				return nil, fmt.Errorf("%s was begun without partition %d: give the same options", j.out, n)
			}
			j.parts[i].offsets = kafka.OffsetRange{Base: r.mark.Next[n], Next: r.mark.End[n]}
			continue
		}
		r.mark.Next[n], r.mark.End[n] = p.offsets.Base, p.offsets.Next
	}
	var err error
	if r.f, err = os.OpenFile(j.out, flags, 0o644); err != nil {
		return nil, fmt.Errorf("write the result: %w", err)
	}
	if err := r.f.Truncate(r.mark.Bytes); err != nil {
		return nil, errors.Join(fmt.Errorf("cut %s to what is whole: %w", j.out, err), r.f.Close())
	}
	if _, err := r.f.Seek(r.mark.Bytes, io.SeekStart); err != nil {
		return nil, errors.Join(err, r.f.Close())
	}
	r.w = bufio.NewWriterSize(r.f, outputBuffer)
	return r, r.save()
}

func (r *resumable) load() error {
	j := r.job
	raw, err := os.ReadFile(markPath(j.out))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is nothing to go on with: %s is not there; leave --continue out",
			markPath(j.out))
	}
	if err != nil {
		return err
	}
	var m mark
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("%s is damaged: %w; begin again without --continue", markPath(j.out), err)
	}
	if m.TopicID != j.topicID || m.Output != j.output {
		return fmt.Errorf("%s was begun as -o %s of topic %q (id %s): give the same options",
			j.out, m.Output, m.Topic, m.TopicID)
	}
	st, err := os.Stat(j.out)
	if err != nil {
		return fmt.Errorf("go on with the output: %w", err)
	}
	if st.Size() < m.Bytes {
		return fmt.Errorf("%s is shorter than when it was interrupted: begin again without --continue",
			j.out)
	}
	r.mark = m
	return nil
}

// at notes that a partition is written up to next, all of whose records are in w.
func (r *resumable) at(part int, next kafka.Offset) error {
	if err := r.w.Flush(); err != nil {
		return err
	}
	size, err := r.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	r.mark.Bytes = size
	r.mark.Next[r.job.parts[part].manifest.TP().Partition] = next
	if now := time.Now(); now.Sub(r.marked) >= markEvery {
		r.marked = now
		return r.save()
	}
	return nil
}

// save replaces the mark at once. The records it tells of were written before.
func (r *resumable) save() error {
	raw, err := json.Marshal(r.mark)
	if err != nil {
		return err
	}
	next := markPath(r.job.out) + ".new"
	if err := os.WriteFile(next, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("note the progress: %w", err)
	}
	return os.Rename(next, markPath(r.job.out))
}

// close ends the file; an unfinished one can be gone on with from the last whole run: what was
// written after it is cut off then.
func (r *resumable) close(finished bool) error {
	if !finished {
		return errors.Join(r.save(), r.f.Close())
	}
	if err := errors.Join(r.w.Flush(), r.f.Close()); err != nil {
		return err
	}
	return os.Remove(markPath(r.job.out))
}
