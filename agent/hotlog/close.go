package hotlog

import "fmt"

// Close syncs, writes the checkpoint that leaves the next Open nothing to scan, and closes the
// files. It waits for work under way. Segments pinned by OpenSegment stay readable. Closing twice
// is no error. After an error the files are closed all the same, and the next Open recovers.
func (l *Log) Close() error { return l.close(true) }

// RemoveDir closes the log without a sync and removes its directory, as when the topic is deleted.
func (l *Log) RemoveDir() error {
	if err := l.close(false); err != nil {
		return err
	}
	return l.files.fs.RemoveAll(l.files.dir)
}

func (l *Log) close(clean bool) error {
	l.mu.Lock()
	if l.state != stateOpen {
		l.mu.Unlock()
		l.workers.Wait()
		return nil
	}
	l.state = stateClosing
	if l.work.timer != nil {
		l.work.timer.Stop()
	}
	l.mu.Unlock()
	l.workers.Wait()

	l.workMu.Lock()
	defer l.workMu.Unlock()
	var err error
	if clean {
		err = l.closeClean()
	}
	l.viewMu.Lock()
	defer l.viewMu.Unlock()
	l.mu.Lock()
	l.state = stateClosed
	l.closed.Store(true)
	waiters := l.work.waiters
	l.work.waiters = nil
	for _, s := range l.view.Load().segs {
		l.files.drop(s)
	}
	l.deps.Budget.add(-l.bytes.Load())
	l.mu.Unlock()
	for _, w := range waiters {
		w.fn(ErrClosed)
	}
	return err
}

// closeClean leaves nothing to recover. A log that nothing happened to since its last durable
// checkpoint costs nothing.
func (l *Log) closeClean() error {
	l.mu.Lock()
	skip := l.failure != nil || !l.marks.durableChanged || !l.view.Load().active().created
	l.mu.Unlock()
	if skip {
		return nil
	}
	err := l.sync(true)
	l.wakeWaiters()
	if err != nil {
		return fmt.Errorf("close log %s: %w", l.files.dir, err)
	}
	return nil
}
