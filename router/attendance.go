package router

import "github.com/wireroom/wireroom/router/wamp"

// An Attendance is told who is subscribed to some topics. Package presence has
// one.
//
// On a topic is who has subscribed to exactly this topic, with or without a
// filter. Patterns do not count.
type Attendance interface {
	// Admit is asked about every SUBSCRIBE, after the [Authorizer]. Its error
	// refuses the subscription.
	Admit(s *Session, i Interest) error

	// Attends reports whether Came and Went are to be called for the topic.
	// It is asked when a subscription is made, and must always say the same of
	// a topic.
	Attends(topic wamp.URI) bool

	// Came is called as the session becomes a subscriber, before it gets
	// SUBSCRIBED or any event. It is called again if the session subscribes to
	// the topic with another filter. Then, as often, Went is called as it ceases to
	// be one: before it gets UNSUBSCRIBED, or the answer to its GOODBYE.
	//
	// Locks are held: both must be fast and call nothing of the router but what
	// says who the session is. For one session and topic a Went may come after
	// the Came of a later subscription, but never before its own Came.
	Came(s *Session, topic wamp.URI)
	Went(s *Session, topic wamp.URI)
}

// Attend has a told who is subscribed. It must be called before anybody can
// join the realm, and once at most.
func (r *Realm) Attend(a Attendance) { r.broker.attendance = a }

// admit asks the Attendance about a subscription, if there is one.
func (b *broker) admit(s *Session, i Interest) error {
	if b.attendance == nil {
		return nil
	}
	return b.attendance.Admit(s, i)
}

// attends reports whether those who subscribe are to be noted.
func (b *broker) attends(topic wamp.URI, match wamp.Match) bool {
	return match == wamp.Exact && b.attendance != nil && b.attendance.Attends(topic)
}
