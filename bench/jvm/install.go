package jvm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing is returned when this machine has no Java or no Maven.
var ErrMissing = errors.New("not installed")

// Cache is a directory that keeps what Maven built.
type Cache string

// DefaultCache is VARVE_COMPAT_CACHE, or a directory of this user's caches.
func DefaultCache() (Cache, error) {
	if dir := os.Getenv("VARVE_COMPAT_CACHE"); dir != "" {
		return Cache(dir), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for jars: %w; set VARVE_COMPAT_CACHE", err)
	}
	return Cache(filepath.Join(dir, "varve", "compat")), nil
}

// Project is what Install made of a Maven project.
type Project struct {
	Dir string // holds classes/ and libs/
}

// ClassPath is for java -cp.
func (p Project) ClassPath() string {
	return filepath.Join(p.Dir, "classes") + ":" + filepath.Join(p.Dir, "libs", "*")
}

// Install builds the Maven project in the directory from, under the name given.
func (c Cache) Install(ctx context.Context, name, from string) (Project, error) {
	p := Project{Dir: filepath.Join(string(c), name)}
	if _, err := exec.LookPath("java"); err != nil {
		return p, fmt.Errorf("java is %w: install a JDK of 17 or newer", ErrMissing)
	}
	sum, err := sumOf(from)
	if err != nil {
		return p, err
	}
	stamp := filepath.Join(p.Dir, "libs", ".done")
	if done, err := os.ReadFile(stamp); err == nil && string(done) == sum {
		return p, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return p, fmt.Errorf("maven (mvn) is %w: install Maven", ErrMissing)
	}
	if err := os.RemoveAll(p.Dir); err != nil {
		return p, fmt.Errorf("clear %s: %w", p.Dir, err)
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", filepath.Join(from, "pom.xml"),
		"-Dbuild.dir="+p.Dir, "compile", "dependency:copy-dependencies",
		"-DoutputDirectory="+filepath.Join(p.Dir, "libs"))
	if out, err := mvn.CombinedOutput(); err != nil {
		return p, fmt.Errorf("maven could not build %s: %w\n%s", from, err, out)
	}
	return p, os.WriteFile(stamp, []byte(sum), 0o644)
}

// sumOf is a checksum of a project's files.
func sumOf(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !(strings.HasSuffix(path, ".java") || d.Name() == "pom.xml") {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path[len(dir):], len(b), b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the project %s: %w", dir, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
