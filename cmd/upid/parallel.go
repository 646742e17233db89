package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// inOrder calls work for 0 … n-1 on all cores and emit with the outcomes in
// that order. worker numbers the goroutine that calls work, below
// runtime.GOMAXPROCS, so that each can keep its own working memory; emit runs on
// the caller's. No more than a few outcomes per core wait at a time. inOrder
// returns the first error of work or emit, or ctx's as soon as it is done; work
// under way is then waited for, so work must not be long or must mind ctx.
func inOrder[T any](ctx context.Context, n int, work func(ctx context.Context, worker, i int) (T, error), emit func(i int, v T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		value T
		err   error
	}
	workers := min(n, runtime.GOMAXPROCS(0))
	window := 4 * workers
	slots := make([]chan outcome, window) // outcome i goes to slot i mod window
	jobs := make(chan int, window)        // never more than window under way, so sends do not block
	for i := range window {
		slots[i] = make(chan outcome, 1)
		if i < n {
			jobs <- i
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(jobs)
	defer cancel()
	for w := range workers {
		wg.Go(func() {
			for i := range jobs {
				if ctx.Err() != nil {
					return
				}
				v, err := guard(func() (T, error) { return work(ctx, w, i) })
				slots[i%window] <- outcome{v, err}
			}
		})
	}
	for i := range n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-slots[i%window]:
			if o.err != nil {
				return o.err
			}
			if err := emit(i, o.value); err != nil {
				return err
			}
		}
		if i+window < n {
			jobs <- i + window
		}
	}
	return nil
}

// guard turns a panic of work, which would end the process from a worker's
// goroutine, into an error.
func guard[T any](work func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: %v (a bug; please report it with the command line)", r)
		}
	}()
	return work()
}
