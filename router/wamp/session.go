package wamp

import "strings"

// Type returns [TypeHello].
func (*Hello) Type() Type { return TypeHello }

// Append implements [Message]. It writes Details, not what was parsed out of
// them.
func (m *Hello) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeHello)
	e.str(string(m.Realm))
	e.dict(m.Details)
	return e.finish(at, 3)
}

func (d *Decoder) decodeHello() Message {
	m := &d.hello
	*m = Hello{Realm: d.uriAt("Realm")}
	m.Details = d.details("Details")
	if d.err == nil {
		d.helloDetails(m)
	}
	return m
}

// roles are those that a client can have.
var roles = [...]string{"publisher", "subscriber", "caller", "callee"}

// helloDetails checks what HELLO.Details hold. A null is as good as absent:
// some clients write all that they could have said.
func (d *Decoder) helloDetails(m *Hello) {
	d.part = "Details"
	announced, ok := m.Details["roles"].(map[string]any)
	if !ok {
		d.wrongDetail(m.Details, "roles", "dict")
		return
	}
	for _, role := range roles {
		v, ok := announced[role]
		if !ok {
			continue
		}
		m.Roles = append(m.Roles, role)
		d.helloFeatures(m, role, v)
	}
	d.name = nil
	if len(m.Roles) == 0 {
		d.name = []byte("roles")
		d.violation("expected one of %s, found none", strings.Join(roles[:], ", "))
	}
	m.AuthID = d.textDetail(m.Details, "authid")
	d.textDetail(m.Details, "agent")
	if v := m.Details["authextra"]; v != nil {
		if m.AuthExtra, ok = v.(map[string]any); !ok {
			d.wrongDetail(m.Details, "authextra", "dict")
		}
	}
	if v := m.Details["authmethods"]; v != nil {
		list, ok := v.([]any)
		if !ok {
			d.wrongDetail(m.Details, "authmethods", "list")
		}
		for _, v := range list {
			method, ok := v.(string)
			if !ok {
				d.name = []byte("authmethods")
				d.violation("expected a list of strings, found %s in it", kindOf(v))
			}
			m.AuthMethods = append(m.AuthMethods, method)
		}
	}
}

// helloFeatures checks what a role's announcement v holds.
func (d *Decoder) helloFeatures(m *Hello, role string, v any) {
	wrong := func(format string, args ...any) {
		d.name = []byte("roles." + role)
		d.violation(format, args...)
	}
	announced, ok := v.(map[string]any)
	if !ok {
		wrong("expected dict, found %s", kindOf(v))
		return
	}
	v = announced["features"]
	if v == nil {
		return
	}
	features, ok := v.(map[string]any)
	if !ok {
		wrong("expected features to be a dict, found %s", kindOf(v))
		return
	}
	for feature, v := range features {
		has, ok := v.(bool)
		if !ok {
			wrong("expected feature %q to be a bool, found %s", shorten([]byte(feature)), kindOf(v))
			return
		}
		if !has {
			continue
		}
		if m.Features == nil {
			m.Features = make(map[string]bool)
		}
		m.Features[role+"."+feature] = true
	}
}

// textDetail returns the entry key of details, which must be a string if it is
// there and not null.
func (d *Decoder) textDetail(details map[string]any, key string) string {
	v := details[key]
	if v == nil {
		return ""
	}
	text, ok := v.(string)
	if !ok {
		d.wrongDetail(details, key, "string")
	}
	return text
}

// wrongDetail fails because of the entry key of details.
func (d *Decoder) wrongDetail(details map[string]any, key, expected string) {
	d.name = []byte(key)
	v, ok := details[key]
	if !ok {
		d.violation("expected %s, found nothing", expected)
		return
	}
	d.violation("expected %s, found %s", expected, kindOf(v))
}

// kindOf names the type of a decoded value, for errors.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return kindNames[kindNil]
	case bool:
		return kindNames[kindBool]
	case int64, uint64:
		return kindNames[kindUint]
	case float64:
		return kindNames[kindFloat]
	case string:
		return kindNames[kindString]
	case []byte:
		return kindNames[kindBinary]
	case []any:
		return kindNames[kindList]
	default:
		return kindNames[kindDict]
	}
}

// Type returns [TypeWelcome].
func (*Welcome) Type() Type { return TypeWelcome }

// Append implements [Message].
func (m *Welcome) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeWelcome)
	e.uint(uint64(m.Session))
	if m.Ready != nil {
		e.raw(m.Ready)
	} else {
		e.dict(m.Details)
	}
	return e.finish(at, 3)
}

func (d *Decoder) decodeWelcome() Message {
	m := &d.welcome
	*m = Welcome{Session: d.idAt("Session")}
	m.Details = d.details("Details")
	return m
}

// Type returns [TypeAbort].
func (*Abort) Type() Type { return TypeAbort }

// Append implements [Message].
func (m *Abort) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeAbort)
	e.dict(m.Details)
	e.str(string(m.Reason))
	return e.finish(at, 3+e.payload(&m.Payload))
}

func (d *Decoder) decodeAbort() Message {
	m := &d.abort
	*m = Abort{Details: d.details("Details")}
	d.textDetail(m.Details, "message")
	m.Reason = d.uriAt("Reason")
	d.payload(&m.Payload, &Passthru{})
	return m
}

// Type returns [TypeChallenge].
func (*Challenge) Type() Type { return TypeChallenge }

// Append implements [Message].
func (m *Challenge) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeChallenge)
	e.str(m.Method)
	e.dict(m.Extra)
	return e.finish(at, 3)
}

func (d *Decoder) decodeChallenge() Message {
	m := &d.challenge
	*m = Challenge{Method: string(d.uriAt("AuthMethod"))}
	m.Extra = d.details("Extra")
	return m
}

// Type returns [TypeAuthenticate].
func (*Authenticate) Type() Type { return TypeAuthenticate }

// Append implements [Message].
func (m *Authenticate) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeAuthenticate)
	e.str(m.Signature)
	e.dict(m.Extra)
	return e.finish(at, 3)
}

func (d *Decoder) decodeAuthenticate() Message {
	m := &d.authenticate
	*m = Authenticate{}
	if d.element("Signature") {
		m.Signature = d.secret()
	}
	m.Extra = d.details("Extra")
	return m
}

// Type returns [TypeGoodbye].
func (*Goodbye) Type() Type { return TypeGoodbye }

// Append implements [Message].
func (m *Goodbye) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeGoodbye)
	e.dict(m.Details)
	e.str(string(m.Reason))
	return e.finish(at, 3)
}

func (d *Decoder) decodeGoodbye() Message {
	m := &d.goodbye
	*m = Goodbye{Details: d.details("Details")}
	d.textDetail(m.Details, "message")
	m.Reason = d.uriAt("Reason")
	return m
}

// Type returns [TypeError].
func (*ErrorMessage) Type() Type { return TypeError }

// Append implements [Message].
func (m *ErrorMessage) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeError)
	e.uint(uint64(m.RequestType))
	e.uint(uint64(m.Request))
	dict := e.openFields()
	dict.passthru(&m.Passthru)
	dict.extra(m.Details)
	dict.close()
	e.str(string(m.Error))
	return e.finish(at, 5+e.payload(&m.Payload))
}

func (d *Decoder) decodeError() Message {
	m := &d.error
	*m = ErrorMessage{}
	if d.element("REQUEST.Type") {
		if n := d.uint(1); n <= maxType {
			m.RequestType = Type(n)
		} else {
			d.expected("the type of a request")
		}
	}
	m.Request = d.idAt("REQUEST.Request")
	for ok := d.begin("Details"); ok && d.field(); {
		if !d.common(&m.Passthru) {
			d.keep(&m.Details)
		}
	}
	m.Error = d.uriAt("Error")
	d.payload(&m.Payload, &m.Passthru)
	return m
}
