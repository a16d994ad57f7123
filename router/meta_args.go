package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// metaArgs are the arguments of a call of a meta procedure.
type metaArgs struct {
	caller *Session
	list   []any
	dict   map[string]any
}

// A metaProcedure runs a procedure of the meta API. results are positional; nil
// is none.
type metaProcedure func(a *metaArgs) (results []any, err error)

// provideMeta offers the meta API. Its procedures are called by whom the
// [Authorizer] lets call them, like any other.
func (r *Realm) provideMeta() {
	for _, procedures := range []map[wamp.URI]metaProcedure{
		r.sessionProcedures(), r.subscriptionProcedures(), r.registrationProcedures(), r.testamentProcedures(),
	} {
		for uri, f := range procedures {
			r.Provide(uri, func(_ context.Context, req *Request) ([]any, map[string]any, error) {
				a := &metaArgs{caller: req.Session}
				var err error
				if a.list, err = req.Payload.DecodeArgs(); err != nil {
					return nil, nil, invalidArgument(err)
				}
				if a.dict, err = req.Payload.DecodeKwArgs(); err != nil {
					return nil, nil, invalidArgument(err)
				}
				results, err := f(a)
				return results, nil, err
			})
		}
	}
	r.Provide("wamp.subscription.get_events", r.getEvents)
}

// invalidArgument returns err as what is wrong with the arguments of a call,
// not with the message that brought them.
func invalidArgument(err error) error {
	return wamp.Errorf(wamp.URIInvalidArgument, "%s", wamp.AsError(err).Text)
}

// at returns the i-th positional argument; nil if there are less.
func (a *metaArgs) at(i int) any {
	if i < len(a.list) {
		return a.list[i]
	}
	return nil
}

// id returns the i-th argument, which must be an ID.
func (a *metaArgs) id(i int, name string) (wamp.ID, error) {
	if n, ok := a.at(i).(int64); ok && n >= 1 && wamp.ID(n) <= wamp.MaxID {
		return wamp.ID(n), nil
	}
	return 0, wamp.Errorf(wamp.URIInvalidArgument, "argument %d, %s: expected an ID, an integer in 1 to 2^53", i+1, name)
}

// text returns the i-th argument, which must be a string.
func (a *metaArgs) text(i int, name string) (string, error) {
	if s, ok := a.at(i).(string); ok {
		return s, nil
	}
	return "", wamp.Errorf(wamp.URIInvalidArgument, "argument %d, %s: expected a string", i+1, name)
}

// uri returns the i-th argument, which must be a URI or, where match is given
// in the options that follow it, such a pattern.
func (a *metaArgs) uri(i int, name string, withOptions bool) (uri wamp.URI, match wamp.Match, err error) {
	s, err := a.text(i, name)
	if err != nil {
		return "", match, err
	}
	if withOptions {
		if match, err = a.match(i + 1); err != nil {
			return "", match, err
		}
	}
	return wamp.URI(s), match, checkURI(wamp.URI(s), match)
}

// match returns the policy in the i-th argument, which may be options.
func (a *metaArgs) match(i int) (wamp.Match, error) {
	options, ok := a.at(i).(map[string]any)
	if !ok && a.at(i) != nil {
		return 0, wamp.Errorf(wamp.URIInvalidArgument, "argument %d, options: expected a dictionary", i+1)
	}
	v := options["match"]
	if v == nil {
		return wamp.Exact, nil
	}
	for _, m := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		if v == m.String() {
			return m, nil
		}
	}
	return 0, wamp.Errorf(wamp.URIInvalidArgument, `options.match: expected "exact", "prefix" or "wildcard"`)
}

// texts returns the i-th argument, which must be a list of strings if it is
// there.
func (a *metaArgs) texts(i int, name string) ([]string, error) {
	v := a.at(i)
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	texts := make([]string, 0, len(list))
	for _, item := range list {
		s, isText := item.(string)
		ok = ok && isText
		texts = append(texts, s)
	}
	if !ok {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "argument %d, %s: expected a list of strings", i+1, name)
	}
	return texts, nil
}

// option returns a keyword argument, which must be a string if it is there.
func (a *metaArgs) option(name string) (s string, given bool, err error) {
	v := a.dict[name]
	if v == nil {
		return "", false, nil
	}
	s, given = v.(string)
	if !given {
		err = wamp.Errorf(wamp.URIInvalidArgument, "%s: expected a string", name)
	}
	return s, given, err
}
