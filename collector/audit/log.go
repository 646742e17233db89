package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Log appends to a trail. Several processes may: each line is written under a lock
// on the file. The zero value is not usable; see New.
type Log struct {
	path string
	now  func() time.Time
	mu   sync.Mutex // one line at a time of this process
}

// New returns the trail at path. It is made, with mode 0600, by the first event.
func New(path string) *Log { return &Log{path: path, now: time.Now} }

// Path is where the trail is.
func (l *Log) Path() string { return l.path }

// Append writes one event and returns the new head once the line is on the disk. The
// event's time is set to now where it is zero. A line that a crash left half-written is
// dropped, and an event says so. It is ErrBroken if the last line is not an event: then
// nothing is written, so that a broken trail is not continued. Cost: the last line is
// read, one line written and synced.
func (l *Log) Append(e Event) (head Head, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	if err := e.validate(); err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	f, err := open(l.path)
	if err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("audit: %w", cerr)
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return Head{}, fmt.Errorf("audit: lock %s: %w", l.path, err)
	}
	head, end, size, err := last(f)
	if err != nil {
		return Head{}, fmt.Errorf("audit: %s: %w", l.path, err)
	}
	var lines []byte
	add := func(e Event) error {
		line, h, err := next(head, e)
		head = h
		lines = append(append(lines, line...), '\n')
		return err
	}
	if size > end {
		err = add(Event{
			Time: e.Time, Actor: "upid", Source: e.Source, Action: Repair, Object: FileName, Outcome: OK,
			Detail: fmt.Sprintf("a last line of %d bytes was cut short by a crash and dropped", size-end),
		})
	}
	if err = errors.Join(err, add(e)); err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	if err := l.write(f, lines, end, size); err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	return head, nil
}

// write puts lines at end, over a half-written line that goes on to size. Whatever
// goes wrong, the file ends at end again.
func (l *Log) write(f *os.File, lines []byte, end, size int64) error {
	if size > end {
		if err := f.Truncate(end); err != nil {
			return err
		}
	}
	_, err := f.WriteAt(lines, end)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return nil
}

// open opens a trail for appending, and makes it if it is not there. A link, or a
// file that others can write, is refused: it would say what they want.
func open(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link; move it away", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file; move it away", path)
	case info.Mode().Perm()&0o022 != 0:
		err = fmt.Errorf("%s can be written by others (mode %04o); check it with \"upid audit verify\", then chmod 600", path, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// last returns the head of a trail as its last whole line tells it, where that line
// ends and how long the file is.
func last(f *os.File) (head Head, end, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return head, 0, 0, err
	}
	size = info.Size()
	// Two lines at most: a whole one and a part.
	from := max(0, size-2*maxLine)
	b := make([]byte, size-from)
	if _, err := io.ReadFull(io.NewSectionReader(f, from, size-from), b); err != nil {
		return head, 0, 0, err
	}
	n := bytes.LastIndexByte(b, '\n') + 1
	end = from + int64(n)
	if size-end > maxLine {
		return head, 0, 0, fmt.Errorf("%w: it ends in a line of more than %d bytes", ErrBroken, maxLine)
	}
	if n == 0 {
		return start, end, size, nil
	}
	b = b[:n-1]
	r, err := parse(b[bytes.LastIndexByte(b, '\n')+1:])
	if err != nil {
		return head, 0, 0, fmt.Errorf("%w: its last line: %w", ErrBroken, err)
	}
	return Head{r.Sequence, r.Hash}, end, size, nil
}

// Verify reads the whole trail at path and returns its head. A trail that is not
// there is os.ErrNotExist.
func Verify(path string, each func(Head, Event) error) (head Head, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Head{}, fmt.Errorf("audit: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Head{}, fmt.Errorf("audit: %s is not a regular file", path)
	}
	// Not while a line is being written.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		return Head{}, fmt.Errorf("audit: lock %s: %w", path, err)
	}
	head, err = Read(f, each)
	if err != nil {
		return head, fmt.Errorf("audit: %s: %w", path, err)
	}
	return head, nil
}
