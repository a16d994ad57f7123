package ingest

// Access of a class, as [ClassInfo] gives it.
const (
	AccessPublic        = "public"        // every client
	AccessAuthenticated = "authenticated" // clients with a user
	AccessRoles         = "roles"         // clients with one of ClassInfo.Roles
)

// A ClassInfo describes an event class to those who post events of it.
type ClassInfo struct {
	Name   string   `json:"name"`
	About  string   `json:"about,omitempty"` // for people to read
	Access string   `json:"access"`          // who may receive: AccessPublic, AccessAuthenticated, AccessRoles
	Roles  []string `json:"roles,omitempty"` // with AccessRoles

	// Fields are in the order of the operator's file. OtherFields says whether
	// data may have fields that are not among them.
	Fields      []FieldInfo `json:"fields"`
	OtherFields bool        `json:"otherFields"`

	Channel  string `json:"channel,omitempty"` // the field that makes channels; empty: none
	Retained bool   `json:"retained"`          // events are kept in a log
}

// A FieldInfo describes one field of a class's data.
type FieldInfo struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"` // string, int, number, bool, time, object, array
	Required  bool     `json:"required"`
	Min       *float64 `json:"min,omitempty"`       // inclusive; nil: no limit
	Max       *float64 `json:"max,omitempty"`       // inclusive; nil: no limit
	Enum      []any    `json:"enum,omitempty"`      // string, int, int64, float64 or bool; nil: any value
	Pattern   string   `json:"pattern,omitempty"`   // a regular expression (RE2); empty: none
	MaxLength *int     `json:"maxLength,omitempty"` // of a string, in characters; nil: no limit
}
