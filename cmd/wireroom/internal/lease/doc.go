// Package lease decides which of several gateways does something that only one
// of them is to do, such as telling an endpoint of events.
//
// What there is to do are tasks. A [Keeper] asks a [Holder], a store that the
// gateways share, each second which tasks are this gateway's. From when one is until
// it may not be any more there is a [Tenure]. Without a Holder there are no other
// gateways, and every task has one tenure, which does not end.
//
// # Goroutines
//
// [Keeper.Run] is for one goroutine of the caller's. All other methods are safe for
// concurrent use, except that tasks are added before Run. Timers end tenures whose
// time is over.
//
// # Contracts
//
// Of a strict task no two gateways have a tenure at the same time, as far as their
// clocks and that of the Holder go forward alike. A loose one goes on while the
// Holder cannot be asked: two gateways that cannot reach each other may have it.
package lease
