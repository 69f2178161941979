//go:build !linux

package vfs

// SyncData is a full sync where there is no fdatasync.
func (f osFile) SyncData() error { return f.Sync() }
