package xmlrpc

// maxAnswer is how large the answer to system.multicall may grow, in bytes,
// before calls are refused.
const maxAnswer = 4 << 20

func systemMethods() []*method {
	return []*method{
		{
			name:       "system.listMethods",
			signatures: [][]string{{"array"}},
			help:       "system.listMethods() -> array of strings\n\nReturns the names of all methods, sorted.",
			call:       (*call).listMethods,
		},
		{
			name:       "system.methodHelp",
			params:     []string{"name"},
			min:        1,
			signatures: [][]string{{"string", "string"}},
			help:       "system.methodHelp(name) -> string\n\nReturns what a method does.",
			call:       (*call).methodHelp,
		},
		{
			name:       "system.methodSignature",
			params:     []string{"name"},
			min:        1,
			signatures: [][]string{{"array", "string"}},
			help: `system.methodSignature(name) -> array of arrays of strings

Returns the ways in which a method can be called: for each the type of the
result, followed by those of the parameters.`,
			call: (*call).methodSignature,
		},
		{
			name:       methodMulticall,
			params:     []string{"calls"},
			min:        1,
			signatures: [][]string{{"array", "array"}},
			help: `system.multicall(calls) -> array

Makes calls one after the other: structs with the members methodName and params.
Returns for each either an array with its result or a struct with faultCode and
faultString. For many events event.publish_many is faster, and all or nothing.`,
			call: (*call).multicall,
		},
		{
			name:       "system.getCapabilities",
			signatures: [][]string{{"struct"}},
			help: `system.getCapabilities() -> struct

Names the specifications that are kept, each with specUrl and specVersion.`,
			call: (*call).capabilities,
		},
	}
}

func (c *call) listMethods(args) error {
	c.out = append(c.out, arrayHead...)
	for _, name := range c.h.names {
		c.out = appendString(c.out, name)
	}
	c.out = append(c.out, arrayTail...)
	return nil
}

// named returns the method that parameter 0 names.
func (c *call) named(a args) (*method, error) {
	name, err := c.string(a, 0)
	if err != nil {
		return nil, err
	}
	m := c.h.methods[name]
	if m == nil {
		return nil, unknownMethod(name)
	}
	return m, nil
}

func (c *call) methodHelp(a args) error {
	m, err := c.named(a)
	if err != nil {
		return err
	}
	c.out = appendString(c.out, m.help)
	return nil
}

func (c *call) methodSignature(a args) error {
	m, err := c.named(a)
	if err != nil {
		return err
	}
	c.out = append(c.out, arrayHead...)
	for _, signature := range m.signatures {
		c.out = append(c.out, arrayHead...)
		for _, typ := range signature {
			c.out = appendString(c.out, typ)
		}
		c.out = append(c.out, arrayTail...)
	}
	c.out = append(c.out, arrayTail...)
	return nil
}

func (c *call) multicall(a args) error {
	if err := c.is(a, 0, typeArray); err != nil {
		return err
	}
	array := int(a.at[0])
	end := int(c.nodes[array].next)
	if n := c.list(array+1, end).n; n > c.h.config.MaxCalls {
		return faultf(CodeTooLarge, "system.multicall: at most %d calls, found %d", c.h.config.MaxCalls, n)
	}
	c.out = append(c.out, arrayHead...)
	for i := array + 1; i < end; i = int(c.nodes[i].next) {
		if err := c.ctx.Err(); err != nil {
			return err // the caller is gone
		}
		mark := len(c.out)
		c.out = append(c.out, arrayHead...)
		name, err := c.nested(i)
		if err != nil {
			code, text := c.explain(name, err)
			c.out = appendFault(c.out[:mark], code, text)
			continue
		}
		c.out = append(c.out, arrayTail...)
	}
	c.out = append(c.out, arrayTail...)
	return nil
}

// nested makes the call that the struct of node i describes, and returns the
// name of its method.
func (c *call) nested(i int) (name string, err error) {
	if typ := c.nodes[i].typ; typ != typeStruct {
		return "", faultf(CodeInvalidParams, "system.multicall: expected a struct with methodName and params, found %v", typ)
	}
	params := -1
	for m := i + 1; m < int(c.nodes[i].next); m = int(c.nodes[m].next) {
		switch typ := c.nodes[m].typ; string(c.memberName(m)) {
		case `"methodName"`:
			if typ != typeString {
				return "", faultf(CodeInvalidParams, "system.multicall: methodName: expected string, found %v", typ)
			}
			name = c.stringAt(m)
		case `"params"`:
			if typ != typeArray {
				return "", faultf(CodeInvalidParams, "system.multicall: params: expected array, found %v", typ)
			}
			params = m
		default:
			return "", faultf(CodeInvalidParams, "system.multicall: expected the members methodName and params, found %s", c.memberName(m))
		}
	}
	switch {
	case name == "":
		return "", faultf(CodeInvalidParams, "system.multicall: a call without methodName")
	case params < 0:
		return name, faultf(CodeInvalidParams, "system.multicall: a call without params")
	case len(c.out) > maxAnswer:
		return name, faultf(CodeTooLarge, "system.multicall: not called, the answer is larger than %d bytes", maxAnswer)
	}
	m := c.h.methods[name]
	switch {
	case m == nil:
		return name, unknownMethod(name)
	case name == methodMulticall:
		return name, faultf(CodeInvalidParams, "system.multicall inside system.multicall")
	}
	return name, c.invoke(m, c.list(params+1, int(c.nodes[params].next)))
}

func (c *call) capabilities(args) error {
	c.out = append(c.out, "<value><struct>"...)
	for _, spec := range []struct {
		name, url string
		version   int64
	}{
		{"xmlrpc", "http://xmlrpc.com/spec.md", 1},
		{"faults_interop", "http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php", 20010516},
		{"introspection", "http://xmlrpc-c.sourceforge.net/introspection.html", 1},
		{"system.multicall", "http://mirrors.talideon.com/articles/multicall.html", 1},
		{"nil", "http://ontosys.com/xml-rpc/extensions.php", 20010518},
	} {
		c.out = append(c.out, "<member><name>"...)
		c.out = append(c.out, spec.name...)
		c.out = append(c.out, "</name><value><struct><member><name>specUrl</name>"...)
		c.out = appendString(c.out, spec.url)
		c.out = append(c.out, "</member><member><name>specVersion</name>"...)
		c.out = appendInt(c.out, spec.version)
		c.out = append(c.out, "</member></struct></value></member>"...)
	}
	c.out = append(c.out, "</struct></value>"...)
	return nil
}
