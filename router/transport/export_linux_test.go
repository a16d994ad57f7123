package transport

// WriteOnce writes bufs to the descriptor by one system call: with gathering,
// after copying them together if they fit, or else by writev.
func WriteOnce(fd int, bufs [][]byte, gather bool) (n int, err error) {
	o := outputs.Get().(*output)
	o.bufs = bufs
	if gather {
		n, _, err = o.step(fd)
	} else {
		n, _, err = o.writev(fd, bufs[0])
	}
	o.result(nil)
	outputs.Put(o)
	return n, err
}
