package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// checkpointMagic names the schema of checkpoint files. One of another schema is kept
// beside when it is to be written over.
const checkpointMagic = "upid.checkpoint.1"

// CheckpointsDir is where checkpoints are in the data directory.
const CheckpointsDir = "checkpoints"

const checkpointSuffix = ".checkpoint"

// keepUnused is how long the state of a task that is not configured any more is
// kept, so that a start with the wrong file, or a signal that comes back, finds it.
const keepUnused = 24 * time.Hour

// frameSize is how much of a checkpoint goes into one frame.
const frameSize = 1 << 20

// Checkpoints is a directory with one file of state for each task. A checkpoint
// holds the key of what it belongs to and what the task wrote, in frames. Whatever
// is wrong with one, its content can be built again from data. The errors of its
// methods know their reason, see Reason.
type Checkpoints struct {
	dir  string
	keys *Keys

	mu     sync.Mutex
	others map[string]error // by task: why what is there is of another schema
}

// NewCheckpoints returns the checkpoints in dir/checkpoints, sealed if there are keys.
// It reads and writes nothing yet.
func NewCheckpoints(dir string, keys *Keys) *Checkpoints {
	return &Checkpoints{dir: filepath.Join(dir, CheckpointsDir), keys: keys, others: map[string]error{}}
}

func (c *Checkpoints) path(task string) string { return filepath.Join(c.dir, task+checkpointSuffix) }

// ErrOtherKey says that a checkpoint is of another configuration, or of another
// version of the state.
var ErrOtherKey = errors.New("the checkpoint is of another configuration or version")

// Save replaces the checkpoint of a task.
func (c *Checkpoints) Save(task, key string, write func(io.Writer) error) error {
	c.mu.Lock()
	others := c.others[task]
	delete(c.others, task)
	c.mu.Unlock()
	if others != nil {
		if err := SetAside(c.path(task), others); err != nil {
			return withReason(err)
		}
	}
	return withReason(c.keys.WriteFile(c.path(task), true, func(w io.Writer) error {
		f, err := NewFrameWriter(w, checkpointMagic)
		if err != nil {
			return err
		}
		if err := f.Write([]byte(key)); err != nil {
			return err
		}
		b := bufio.NewWriterSize(frames{f}, frameSize)
		if err := write(b); err != nil {
			return err
		}
		if err := b.Flush(); err != nil {
			return err
		}
		return f.Close()
	}))
}

// frames writes every Write as frames of at most frameSize.
type frames struct{ f *FrameWriter }

func (w frames) Write(b []byte) (n int, err error) {
	for n < len(b) {
		part := b[n:min(n+frameSize, len(b))]
		if err := w.f.Write(part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// Load reads the checkpoint of a task. What read sees has the right checksum; it
// must read to the end, and keep nothing of it unless Load succeeds. The error is
// os.ErrNotExist without a checkpoint, ErrOtherKey if it is not of that key,
// ErrSchema if it is of another version, ErrKey or ErrPlain if it cannot be opened with
// our keys or should not be. A damaged one, and one that read
// refuses, is moved into quarantine.
func (c *Checkpoints) Load(task, key string, read func(io.Reader) error) error {
	path := c.path(task)
	f, err := Open(path)
	if err == nil {
		defer f.Close()
		var content io.Reader
		if content, err = c.keys.Unseal(bufio.NewReaderSize(f, 1<<18), boundName(path)); err == nil {
			err = load(content, key, read)
		}
	}
	if errors.Is(err, ErrSchema) {
		c.mu.Lock()
		c.others[task] = err
		c.mu.Unlock()
	}
	if spoiled(err) {
		err = errors.Join(err, Quarantine(c.dir, path, task+checkpointSuffix))
	}
	if err != nil {
		return withReason(fmt.Errorf("checkpoint %s: %w", path, err))
	}
	return nil
}

func load(r io.Reader, key string, read func(io.Reader) error) error {
	f, err := NewFrameReader(r, checkpointMagic)
	if err != nil {
		return err
	}
	have, err := f.Next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it has no key", ErrDamaged)
	}
	if err != nil {
		return err
	}
	if string(have) != key {
		return ErrOtherKey
	}
	content := &framesReader{f: f}
	if err := read(content); err != nil {
		if content.err != nil { // the file is at fault, whatever read makes of it
			return content.err
		}
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n, err := content.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it goes on after its end", ErrDamaged)
	}
	return nil
}

// framesReader reads the content of the remaining frames.
type framesReader struct {
	f    *FrameReader
	rest []byte
	err  error // other than io.EOF
}

func (r *framesReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		next, err := r.f.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return 0, err
		}
		r.rest = next
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Prune removes the checkpoints of tasks that are not among keep and have not
// been written for a day.
func (c *Checkpoints) Prune(keep []string) error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return withReason(fmt.Errorf("checkpoints: %w", err))
	}
	wanted := make(map[string]bool, len(keep))
	for _, task := range keep {
		wanted[task+checkpointSuffix] = true
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || wanted[e.Name()] || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		if strings.HasSuffix(e.Name(), checkpointSuffix) {
			errs = append(errs, os.Remove(filepath.Join(c.dir, e.Name())))
		}
	}
	return withReason(errors.Join(errs...))
}
