package main

import (
	"context"
	"io"
)

func peers(ctx context.Context, w io.Writer, servers, m4 []task) error { return nil }
