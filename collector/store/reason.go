package store

import (
	"errors"
	"io/fs"
	"syscall"
)

// Reason returns why a file could not be written or read, from a closed list.
func Reason(err error) string {
	switch {
	case errors.Is(err, ErrDamaged):
		return "damaged"
	case errors.Is(err, ErrSchema):
		return "other_version"
	case errors.Is(err, ErrOtherKey):
		return "other_configuration"
	case errors.Is(err, ErrKey):
		return "no_key"
	case errors.Is(err, ErrPlain):
		return "not_sealed"
	case errors.Is(err, ErrExposed):
		return "exposed"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "disk_full"
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EBADF):
		return "read_only"
	case errors.Is(err, fs.ErrPermission):
		return "permission"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	}
	return "io"
}

// fault is an error with its Reason for those who do not import this package.
type fault struct{ error }

func (f fault) Unwrap() error         { return f.error }
func (f fault) FailureReason() string { return Reason(f.error) }

func withReason(err error) error {
	if err == nil {
		return nil
	}
	return fault{err}
}
