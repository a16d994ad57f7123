package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
)

// maxUsersFile is how many bytes a file of users may have.
const maxUsersFile = 16 << 20

// readUsers reads the users, who stand in the file or in one of their own. The
// problems of that one name it, and come after those of this one.
func (r *Realm) readUsers(o *object) {
	const kind = "file with the users, or mapping of <user>"
	n, path := o.take("users", kind, "")
	d := o.d
	switch {
	case d.again:
		return
	case d.describe:
		readUser(d, "<user>", nil, path+".<user>")
		return
	case n == nil || isNull(n):
		return
	case isScalar(n, "!!str") && n.Value != "":
		d = o.d.other(n, path)
		if d == nil {
			return
		}
		n, path = d.at[""], ""
	case n.Kind != yaml.MappingNode:
		d.reportf(n, path, "expected the name of a file with users, or a mapping of users, found %s", kindOf(n))
		return
	}
	names := &object{d: d, path: path, node: n, items: map[string]item{}}
	if names.load() {
		for _, name := range names.order {
			it := names.items[name]
			p := join(path, name)
			v, ok := d.visit(it.value, p)
			d.at[p] = it.key // problems with the whole entry point to its name
			if ok {
				r.Users = append(r.Users, readUser(d, name, v, p))
			}
		}
	}
	r.Users.Validate(d.reporter(path))
	r.usersReport = func(field string, err error) { d.reporter(path)(field, err) }
}

func readUser(d *decoder, name string, n *yaml.Node, path string) auth.UserConfig {
	u := auth.UserConfig{Name: name}
	d.object(n, path, func(o *object) {
		o.strings("roles", "roles", &u.Roles, "")
		o.string("ticket_sha256", &u.TicketSHA256)
		var cra auth.CRAConfig
		if o.sub("cra", func(o *object) {
			o.secret("secret", &cra.Secret)
			o.string("salt", &cra.Salt)
			o.cost("iterations", &cra.Iterations)
			o.cost("keylen", &cra.KeyLen)
		}) {
			u.CRA = &cra
		}
		var scram auth.SCRAMConfig
		if o.sub("scram", func(o *object) {
			o.oneOf("kdf", &scram.KDF, auth.KDFArgon2id, auth.KDFPBKDF2)
			o.string("salt", &scram.Salt)
			o.cost("iterations", &scram.Iterations)
			o.cost("memory", &scram.Memory)
			o.secret("stored_key", &scram.StoredKey)
			o.secret("server_key", &scram.ServerKey)
		}) {
			u.SCRAM = &scram
		}
		o.strings("cryptosign", "public keys", &u.Cryptosign, "")
		o.strings("tls", "certificates", &u.TLS, "")
	})
	return u
}

// cost reads a number whose range a room checks, and that has no default.
func (o *object) cost(key string, v *int) { o.integerOr(key, v, 0, 1<<31-1, "") }

// other returns a decoder of the file that n names, with its root at "", or
// nil with a problem. Its names of files are relative to its own folder.
func (d *decoder) other(n *yaml.Node, path string) *decoder {
	name := n.Value
	data, err := readUsersFile(d.resolve(name))
	if err != nil {
		d.reportf(n, path, "expected a file with users that can be read, found %q: %s", name, cause(err))
		return nil
	}
	file := name
	if !filepath.IsAbs(name) {
		file = filepath.Join(filepath.Dir(d.file), name)
	}
	o := &decoder{
		file: file, dir: filepath.Dir(d.resolve(name)), builtIn: d.builtIn,
		at: map[string]*yaml.Node{}, skip: map[string]bool{},
	}
	d.files = append(d.files, o)
	root := o.parse(data)
	if root == nil {
		return nil
	}
	o.at[""] = root
	return o
}

func readUsersFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxUsersFile+1))
	if err == nil && len(data) > maxUsersFile {
		err = fmt.Errorf("it has more than %s", formatSize(maxUsersFile))
	}
	return data, err
}
