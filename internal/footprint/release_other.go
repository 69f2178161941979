//go:build !linux

package footprint

// ReleaseStartPages does nothing here.
func ReleaseStartPages() error { return nil }
