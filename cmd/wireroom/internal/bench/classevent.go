package bench

// liveClass is a retained class beside the one that events are posted to.
const liveClass = "bench.live"

// eventTemplate returns the template of a PUBLISH of an event of a class whose
// data has a number and a text, which is the payload.
func eventTemplate(s serializer, class string, payload []byte, acknowledge bool) *template {
	options := dict{}
	if acknowledge {
		options["acknowledge"] = true
	}
	return templateOf(s, payload, codePublish, options, class, list{}, dict{"number": uint64(1), "text": string(payload)})
}
