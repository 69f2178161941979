package checkpointer

import "errors"

var (
	// ErrVerify: the store holds other bytes under an object's name than were put, or none.
	ErrVerify = errors.New("checkpoint object is not as it was put")
	// ErrMoved: the log was cleaned beyond what a checkpoint being made would hold; it is made again.
	ErrMoved = errors.New("log was cleaned while its checkpoint was made")
	// ErrUnsaved: a Flush ended with logs that are not saved to their end.
	ErrUnsaved = errors.New("not all compacted logs are saved")
	// ErrDamaged: a checkpoint in the bucket is not what its ledger says.
	ErrDamaged = errors.New("checkpoint is damaged")
)
