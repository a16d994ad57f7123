package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/expr"
)

// json returns a literal as JSON.
func (p *profile) json(e ast.Expr) (string, error) {
	e = plain(e)
	switch e.Kind() {
	case ast.LiteralKind:
		return jsonOf(e.AsLiteral())
	case ast.ListKind:
		if len(e.AsList().OptionalIndices()) > 0 {
			return "", noOptional
		}
		var list []string
		for _, el := range e.AsList().Elements() {
			text, err := p.json(el)
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
		return "[" + strings.Join(list, ",") + "]", nil
	case ast.MapKind:
		var list []string
		for _, entry := range e.AsMap().Entries() {
			m := entry.AsMapEntry()
			key := plain(m.Key())
			if m.IsOptional() {
				return "", noOptional
			}
			if key.Kind() != ast.LiteralKind || key.AsLiteral().Type() != types.StringType {
				return "", noJSON
			}
			value, err := p.json(m.Value())
			if err != nil {
				return "", err
			}
			list = append(list, quoteJSON(string(key.AsLiteral().(types.String)))+":"+value)
		}
		return "{" + strings.Join(list, ",") + "}", nil
	}
	if _, err := p.operand(e); err != nil {
		return "", err
	}
	return "", noComparison
}

// literalOf returns a value as a query writes it.
func literalOf(v any) (string, error) {
	switch v := v.(type) {
	case types.Null:
		return "null", nil
	case types.Bool, types.Int:
		return fmt.Sprint(v), nil
	case types.Uint:
		return fmt.Sprintf("%du", uint64(v)), nil
	case types.Double:
		return jsonOf(v)
	case types.String:
		return strconv.Quote(string(v)), nil
	}
	return "", noJSON
}

// jsonOf returns a value as JSON writes it.
func jsonOf(v any) (string, error) {
	switch v := v.(type) {
	case types.Null:
		return "null", nil
	case types.Bool, types.Int, types.Uint:
		return fmt.Sprint(v), nil
	case types.Double:
		return jsonDouble(float64(v))
	case types.String:
		return quoteJSON(string(v)), nil
	}
	return "", noJSON
}

func jsonDouble(f float64) (string, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", noJSON
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text, nil
}

// jsonOfProto returns a value that a case binds to a name, as JSON.
func jsonOfProto(v *expr.Value) (string, error) {
	switch k := v.GetKind().(type) {
	case *expr.Value_NullValue:
		return "null", nil
	case *expr.Value_BoolValue:
		return fmt.Sprint(k.BoolValue), nil
	case *expr.Value_Int64Value:
		return fmt.Sprint(k.Int64Value), nil
	case *expr.Value_Uint64Value:
		return fmt.Sprint(k.Uint64Value), nil
	case *expr.Value_DoubleValue:
		return jsonDouble(k.DoubleValue)
	case *expr.Value_StringValue:
		return quoteJSON(k.StringValue), nil
	case *expr.Value_ListValue:
		var list []string
		for _, el := range k.ListValue.GetValues() {
			text, err := jsonOfProto(el)
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
		return "[" + strings.Join(list, ",") + "]", nil
	case *expr.Value_MapValue:
		var list []string
		for _, entry := range k.MapValue.GetEntries() {
			key, ok := entry.GetKey().GetKind().(*expr.Value_StringValue)
			if !ok {
				return "", noJSON
			}
			text, err := jsonOfProto(entry.GetValue())
			if err != nil {
				return "", err
			}
			list = append(list, quoteJSON(key.StringValue)+":"+text)
		}
		return "{" + strings.Join(list, ",") + "}", nil
	case *expr.Value_BytesValue:
		return "", noJSON
	}
	return "", noMessage
}

func quoteJSON(s string) string {
	text, _ := json.Marshal(s) // of a string, which never fails
	return string(text)
}
