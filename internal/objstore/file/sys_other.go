//go:build !linux

package file

import "os"

// writeBehind is left to the kernel's own pace.
func writeBehind(_ *os.File, _, _ int64) {}

// forget is left to the kernel's own judgement.
func forget(_ *os.File) {}
