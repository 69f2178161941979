package rowfile

import "errors"

// ErrUnreadable is wrapped by every error that says the file, and not the machine, is at fault.
var ErrUnreadable = errors.New("unreadable file")
