package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/open"
)

const listMax = 1000

// openBucket decides on the store's URL, of which everything below is the demo's alone.
func (d *demo) openBucket(ctx context.Context) error {
	if d.store == "file" {
		d.url = "file://" + filepath.Join(d.dir, "bucket")
		return nil
	}
	variable := "VARVE_STORE_" + strings.ToUpper(d.store)
	base := os.Getenv(variable)
	if base == "" {
		if err := d.startLocalstack(ctx); err != nil {
			return err
		}
		base = os.Getenv(variable)
	} else {
		d.foreign = true
	}
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	u.Path = path.Join("/", u.Path, fmt.Sprintf("demo-%d", time.Now().UnixNano()))
	d.url = u.String()
	return nil
}

// startLocalstack starts MinIO with its objects in the demo's directory, and sets what it exports.
func (d *demo) startLocalstack(ctx context.Context) error {
	d.stack = filepath.Join(d.dir, "localstack")
	cmd := exec.CommandContext(ctx, filepath.Join(d.localstack, "up"), "--dir", d.stack, "--env")
	cmd.Stderr = d.out
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("start MinIO: %s: %w", cmd, err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		name, exported := strings.CutPrefix(name, "export ")
		if !found || !exported {
			return fmt.Errorf("start MinIO: %s printed %q, not an export", cmd, line)
		}
		if err := os.Setenv(name, strings.Trim(value, "'")); err != nil {
			return err
		}
	}
	return nil
}

// closeBucket stops what was started and empties what was used.
func (d *demo) closeBucket(empty bool) error {
	var errs []error
	if d.foreign && empty {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		errs = append(errs, emptyBucket(ctx, d.url))
	}
	if d.stack != "" {
		cmd := exec.Command(filepath.Join(d.localstack, "down"), "--dir", d.stack)
		if text, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %s", cmd, err, text))
		}
	}
	return errors.Join(errs...)
}

// objects lists all keys below the URL.
func objects(ctx context.Context, s objstore.Store) (keys []string, bytes int64, err error) {
	after := ""
	for {
		page, err := s.List(ctx, "", after, listMax)
		if err != nil {
			return nil, 0, fmt.Errorf("list %s: %w", s.URL(), err)
		}
		for _, o := range page.Objects {
			keys, bytes, after = append(keys, o.Key), bytes+o.Size, o.Key
		}
		if !page.More {
			return keys, bytes, nil
		}
	}
}

func emptyBucket(ctx context.Context, url string) error {
	s, err := open.Open(ctx, url, open.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	keys, _, err := objects(ctx, s)
	for _, key := range keys {
		err = errors.Join(err, s.Delete(ctx, key))
	}
	return err
}
