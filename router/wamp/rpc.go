package wamp

// Type returns [TypeCall].
func (*Call) Type() Type { return TypeCall }

// Append implements [Message].
func (m *Call) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeCall)
	e.uint(uint64(m.Request))
	o := &m.Options
	w := e.openFields()
	w.uint("timeout", o.Timeout)
	w.flag("receive_progress", o.ReceiveProgress)
	w.flag("progress", o.Progress)
	w.flag("disclose_me", o.DiscloseMe)
	w.text("runmode", o.RunMode)
	w.text("transaction_hash", o.TransactionHash)
	w.passthru(&o.Passthru)
	w.extra(o.Extra)
	w.close()
	e.str(string(m.Procedure))
	return e.finish(at, 4+e.payload(&m.Payload))
}

func (d *Decoder) decodeCall() Message {
	m := &d.call
	*m = Call{Request: d.idAt("Request")}
	o := &m.Options
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "timeout":
			o.Timeout = d.uint(0)
		case "receive_progress":
			o.ReceiveProgress = d.bool()
		case "progress":
			o.Progress = d.bool()
		case "disclose_me":
			o.DiscloseMe = d.bool()
		case "runmode":
			o.RunMode = d.enum("all", "partition")
		case "rkey":
			d.text() // of no effect without runmode
		case "transaction_hash":
			o.TransactionHash = d.text()
		default:
			if !d.common(&o.Passthru) {
				d.other(&o.Extra)
			}
		}
	}
	m.Procedure = d.uriAt("Procedure")
	d.payload(&m.Payload, &o.Passthru)
	return m
}

// Type returns [TypeCancel].
func (*Cancel) Type() Type { return TypeCancel }

// Append implements [Message].
func (m *Cancel) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeCancel)
	e.uint(uint64(m.Request))
	w := e.openFields()
	if m.Mode != KillNoWait {
		w.text("mode", m.Mode.String())
	}
	w.close()
	return e.finish(at, 3)
}

func (d *Decoder) decodeCancel() Message {
	m := &d.cancel
	*m = Cancel{Request: d.idAt("Request")}
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "mode":
			m.Mode = d.cancelMode()
		case "forward_for":
			d.forwardFor()
		default:
			d.skip()
		}
	}
	return m
}

// Type returns [TypeResult].
func (*Result) Type() Type { return TypeResult }

// Append implements [Message].
func (m *Result) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeResult)
	e.uint(uint64(m.Request))
	e.answer(m.Progress, m.TransactionHash, &m.Passthru)
	return e.finish(at, 3+e.payload(&m.Payload))
}

// answer writes the dictionary of RESULT and YIELD.
func (e *encoder) answer(progress bool, hash string, pass *Passthru) {
	w := e.openFields()
	w.flag("progress", progress)
	w.text("transaction_hash", hash)
	w.passthru(pass)
	w.close()
}

func (d *Decoder) decodeResult() Message {
	m := &d.result
	*m = Result{Request: d.idAt("Request")}
	d.answer("Details", &m.Progress, &m.TransactionHash, &m.Passthru)
	d.payload(&m.Payload, &m.Passthru)
	return m
}

// answer reads the dictionary of RESULT and YIELD.
func (d *Decoder) answer(part string, progress *bool, hash *string, pass *Passthru) {
	for ok := d.begin(part); ok && d.field(); {
		switch string(d.name) {
		case "progress":
			*progress = d.bool()
		case "transaction_hash":
			*hash = d.text()
		default:
			if !d.common(pass) {
				d.skip()
			}
		}
	}
}

// Type returns [TypeRegister].
func (*Register) Type() Type { return TypeRegister }

// Append implements [Message].
func (m *Register) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeRegister)
	e.uint(uint64(m.Request))
	o := &m.Options
	w := e.openFields()
	if o.Match != Exact {
		w.text("match", o.Match.String())
	}
	if o.Invoke != "single" {
		w.text("invoke", o.Invoke)
	}
	w.uint("concurrency", o.Concurrency)
	w.flag("force_reregister", o.ForceRegister)
	w.flag("disclose_caller", o.DiscloseCaller)
	w.flag("forward_timeout", o.ForwardTimeout)
	w.extra(o.Extra)
	w.close()
	e.str(string(m.Procedure))
	return e.finish(at, 4)
}

func (d *Decoder) decodeRegister() Message {
	m := &d.register
	*m = Register{Request: d.idAt("Request")}
	o := &m.Options
	o.Invoke = "single"
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "match":
			o.Match = d.match()
		case "invoke":
			o.Invoke = d.enum("single", "first", "last", "roundrobin", "random", "load")
		case "concurrency":
			o.Concurrency = d.uint(0)
		case "force_reregister":
			o.ForceRegister = d.bool()
		case "disclose_caller":
			o.DiscloseCaller = d.bool()
		case "forward_timeout":
			o.ForwardTimeout = d.bool()
		case "forward_for":
			d.forwardFor()
		default:
			d.other(&o.Extra)
		}
	}
	m.Procedure = d.uriAt("Procedure")
	return m
}

// Type returns [TypeRegistered].
func (*Registered) Type() Type { return TypeRegistered }

// Append implements [Message].
func (m *Registered) Append(dst []byte, s Serializer) []byte {
	return appendIDs(dst, s, TypeRegistered, m.Request, m.Registration)
}

// Type returns [TypeUnregister].
func (*Unregister) Type() Type { return TypeUnregister }

// Append implements [Message].
func (m *Unregister) Append(dst []byte, s Serializer) []byte {
	return appendIDs(dst, s, TypeUnregister, m.Request, m.Registration)
}

// Type returns [TypeUnregistered].
func (*Unregistered) Type() Type { return TypeUnregistered }

// Append implements [Message].
func (m *Unregistered) Append(dst []byte, s Serializer) []byte {
	return appendRevocation(dst, s, TypeUnregistered, m.Request, "registration", m.Registration, m.Reason)
}

func (d *Decoder) decodeUnregistered() Message {
	m := &d.unregistered
	m.Request, m.Registration, m.Reason = d.decodeRevocation("registration")
	return m
}

// Type returns [TypeInvocation].
func (*Invocation) Type() Type { return TypeInvocation }

// Append implements [Message].
func (m *Invocation) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeInvocation)
	e.uint(uint64(m.Request))
	e.uint(uint64(m.Registration))
	w := e.openFields()
	w.text("procedure", string(m.Procedure))
	w.uint("caller", uint64(m.Caller))
	w.text("caller_authid", m.CallerAuthID)
	w.text("caller_authrole", m.CallerAuthRole)
	w.uint("timeout", m.Timeout)
	w.flag("receive_progress", m.ReceiveProgress)
	w.flag("progress", m.Progress)
	w.text("transaction_hash", m.TransactionHash)
	w.passthru(&m.Passthru)
	w.close()
	return e.finish(at, 4+e.payload(&m.Payload))
}

func (d *Decoder) decodeInvocation() Message {
	m := &d.invocation
	*m = Invocation{Request: d.idAt("Request")}
	m.Registration = d.idAt("Registration")
	for ok := d.begin("Details"); ok && d.field(); {
		switch string(d.name) {
		case "procedure":
			m.Procedure = URI(d.text())
		case "caller":
			m.Caller = d.id()
		case "caller_authid":
			m.CallerAuthID = d.text()
		case "caller_authrole":
			m.CallerAuthRole = d.text()
		case "timeout":
			m.Timeout = d.uint(0)
		case "receive_progress":
			m.ReceiveProgress = d.bool()
		case "progress":
			m.Progress = d.bool()
		case "transaction_hash":
			m.TransactionHash = d.text()
		default:
			if !d.common(&m.Passthru) {
				d.skip()
			}
		}
	}
	d.payload(&m.Payload, &m.Passthru)
	return m
}

// Type returns [TypeInterrupt].
func (*Interrupt) Type() Type { return TypeInterrupt }

// Append implements [Message].
func (m *Interrupt) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeInterrupt)
	e.uint(uint64(m.Request))
	w := e.openFields()
	w.text("mode", m.Mode.String())
	w.text("reason", string(m.Reason))
	w.close()
	return e.finish(at, 3)
}

func (d *Decoder) decodeInterrupt() Message {
	m := &d.interrupt
	*m = Interrupt{Request: d.idAt("Request")}
	for ok := d.begin("Options"); ok && d.field(); {
		switch string(d.name) {
		case "mode":
			m.Mode = d.cancelMode()
		case "reason":
			m.Reason = URI(d.text())
		case "forward_for":
			d.forwardFor()
		default:
			d.skip()
		}
	}
	return m
}

// Type returns [TypeYield].
func (*Yield) Type() Type { return TypeYield }

// Append implements [Message].
func (m *Yield) Append(dst []byte, s Serializer) []byte {
	e, at := begin(dst, s, TypeYield)
	e.uint(uint64(m.Request))
	e.answer(m.Progress, m.TransactionHash, &m.Passthru)
	return e.finish(at, 3+e.payload(&m.Payload))
}

func (d *Decoder) decodeYield() Message {
	m := &d.yield
	*m = Yield{Request: d.idAt("Request")}
	d.answer("Options", &m.Progress, &m.TransactionHash, &m.Passthru)
	d.payload(&m.Payload, &m.Passthru)
	return m
}
