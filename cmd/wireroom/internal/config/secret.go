package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wireroom/wireroom/auth"
)

// maxValueFile is how many bytes a file that holds one value may have.
const maxValueFile = 1 << 20

// secret reads a secret from key, or from the file that key_file names.
func (o *object) secret(key string, v *auth.Secret) {
	if s, ok := o.valueOrFile(key, "secret"); ok {
		*v = auth.Secret(strings.TrimRight(s, "\r\n"))
	}
}

// text reads a longer text, such as a certificate, from key, or from the file
// that key_file names.
func (o *object) text(key string, v *string) {
	if s, ok := o.valueOrFile(key, "text"); ok {
		*v = s
	}
}

// valueOrFile reads a value that stands in the file or in a file of its own.
// Its messages never quote the value.
func (o *object) valueOrFile(key, kind string) (string, bool) {
	value, path := o.take(key, kind, "")
	named, filePath := o.take(key+"_file", "file with the "+kind, "")
	switch {
	case value != nil && named != nil:
		o.d.reportf(named, filePath, "expected %s or %s_file, found both", key, key)
		return "", false
	case value != nil:
		if !isScalar(value, "!!str") {
			o.d.reportf(value, path, "expected a text (in quotes, if it looks like something else), found %s", kindOf(value))
			return "", false
		}
		return value.Value, true
	case named == nil:
		return "", false
	}
	o.d.at[path] = named // so that problems with the value point here
	if !isScalar(named, "!!str") || named.Value == "" {
		o.d.reportf(named, filePath, "expected the name of a file, found %s", describeNode(named))
		return "", false
	}
	data, err := readValue(o.d.resolve(named.Value))
	if err != nil {
		o.d.reportf(named, filePath, "expected a file that can be read, found %q: %s", named.Value, cause(err))
		return "", false
	}
	return data, true
}

// resolve returns the name of a file relative to the configuration's folder.
func (d *decoder) resolve(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.dir, name)
}

func readValue(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxValueFile+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxValueFile:
		return "", fmt.Errorf("it has more than %s", formatSize(maxValueFile))
	case len(strings.TrimSpace(string(data))) == 0:
		return "", errors.New("it is empty")
	}
	return string(data), nil
}
