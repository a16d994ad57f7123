package cesql

// Attributes returns the attribute of an event that has the name, in lower case,
// and whether it has one.
type Attributes func(name string) (Value, bool)

// Eval returns the value of the expression for an event. The error is an
// [*Error]; beside it, the value is what the specification gives to whatever
// failed. attributes may be nil if the expression has none, see [Expr.Constant].
func (e *Expr) Eval(attributes Attributes) (Value, error) {
	switch e.Op {
	case Literal:
		return e.Value, nil
	case Attribute:
		v, _ := attributes(e.Name)
		if v.Kind == Nothing {
			return BooleanValue(false), failed(MissingAttributeError, "expected the attribute %s, found an event without", e.Name)
		}
		return v, nil
	case Exists:
		_, ok := attributes(e.Name)
		return BooleanValue(ok), nil
	case Not:
		v, err := e.Args[0].as(Boolean, attributes)
		return BooleanValue(err == nil && !v.Boolean), err
	case Negate:
		v, err := e.Args[0].as(Integer, attributes)
		if err == nil {
			err = calculable(v)
		}
		return IntegerValue(-v.Integer), err
	case And, Or, Xor:
		return e.logic(attributes)
	case Equal, Unequal:
		same, err := e.equal(attributes)
		return BooleanValue(err == nil && same == (e.Op == Equal)), err
	case Like:
		v, err := e.Args[0].as(String, attributes)
		return BooleanValue(err == nil && e.Pattern.Match(v.String)), err
	case In:
		return e.in(attributes)
	case Call:
		return e.call(attributes)
	}
	left, err := e.Args[0].Eval(attributes)
	if err == nil {
		var right Value
		if right, err = e.Args[1].Eval(attributes); err == nil {
			return e.numeric(left, right)
		}
	}
	if e.Op.binds() == bindComparison {
		return BooleanValue(false), err
	}
	return IntegerValue(0), err
}

// Constant reports whether the expression has the same value for all events.
func (e *Expr) Constant() bool {
	if e.Op == Attribute || e.Op == Exists {
		return false
	}
	for _, k := range e.Args {
		if !k.Constant() {
			return false
		}
	}
	return true
}

// as returns the value of the expression as one of the type.
func (e *Expr) as(k Kind, attributes Attributes) (Value, error) {
	v, err := e.Eval(attributes)
	if err != nil {
		return zero(k), err
	}
	return v.Cast(k)
}

func (e *Expr) logic(attributes Attributes) (Value, error) {
	left, err := e.Args[0].as(Boolean, attributes)
	if err != nil || e.Op == And && !left.Boolean || e.Op == Or && left.Boolean {
		return left, err
	}
	right, err := e.Args[1].as(Boolean, attributes)
	if err != nil {
		return BooleanValue(false), err
	}
	if e.Op == Xor {
		right.Boolean = left.Boolean != right.Boolean
	}
	return right, nil
}

// equal casts what is on the left to the type of what is on the right.
func (e *Expr) equal(attributes Attributes) (bool, error) {
	left, err := e.Args[0].Eval(attributes)
	if err != nil {
		return false, err
	}
	right, err := e.Args[1].Eval(attributes)
	if err != nil {
		return false, err
	}
	return same(left, right)
}

// same reports whether a value, cast to the type of another, is that.
func same(v, with Value) (bool, error) {
	to := with.Kind
	if to == Number {
		to = Integer
	}
	v, err := v.Cast(to)
	return err == nil && v == with, err
}

// in casts what is in the list to the type of what is in front of it.
func (e *Expr) in(attributes Attributes) (Value, error) {
	v, err := e.Args[0].Eval(attributes)
	if err != nil {
		return BooleanValue(false), err
	}
	for _, k := range e.Args[1:] {
		with, err := k.Eval(attributes)
		if err != nil {
			return BooleanValue(false), err
		}
		found, err := same(with, v)
		if err != nil || found {
			return BooleanValue(found), err
		}
	}
	return BooleanValue(false), nil
}

// numeric compares two values as numbers, or calculates with them.
func (e *Expr) numeric(left, right Value) (Value, error) {
	compares := e.Op.binds() == bindComparison
	result := IntegerValue(0)
	if compares {
		result = BooleanValue(false)
	}
	left, err := left.Cast(Integer)
	if err == nil {
		right, err = right.Cast(Integer)
	}
	if err != nil {
		return result, err
	}
	if compares {
		x, y := left.float(), right.float()
		return BooleanValue(e.Op == Less && x < y || e.Op == LessEqual && x <= y || e.Op == Greater && x > y || e.Op == GreaterEqual && x >= y), nil
	}
	if err = calculable(left); err == nil {
		err = calculable(right)
	}
	if err != nil {
		return result, err
	}
	x, y := left.Integer, right.Integer
	switch e.Op {
	case Add:
		x += y
	case Subtract:
		x -= y
	case Multiply:
		x *= y
	default:
		if y == 0 {
			return result, failed(MathError, "expected a number to divide by, found 0")
		}
		if e.Op == Divide {
			x /= y
		} else {
			x %= y
		}
	}
	return IntegerValue(x), nil
}

// calculable returns an error about a number that is no Integer.
func calculable(v Value) error {
	if v.Kind == Number {
		return failed(CastError, "expected an Integer, found %s", v.Text())
	}
	return nil
}
