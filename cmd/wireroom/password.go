package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/auth"
)

// maxPassword is how many bytes a password may have.
const maxPassword = 1024

// readPassword reads a password from the first line of standard input. From a
// terminal it is asked for twice and not shown.
func readPassword(cmd *cobra.Command, name string) (auth.Secret, error) {
	in := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4*maxPassword))
	f, ok := cmd.InOrStdin().(*os.File)
	if !ok {
		return readLine(in)
	}
	show, err := hideInput(f)
	switch {
	case err != nil:
		return "", fmt.Errorf("the terminal shows what is typed: %w; send the password through a pipe", err)
	case show == nil:
		return readLine(in)
	}
	defer show()
	ask := func(prompt string) (auth.Secret, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		defer fmt.Fprintln(cmd.ErrOrStderr())
		return readLine(in)
	}
	first, err := ask("Password of " + name + ": ")
	if err != nil {
		return "", err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("these are two different passwords")
	}
	return first, nil
}

func readLine(in *bufio.Reader) (auth.Secret, error) {
	line, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", usageErrorf("expected a password in the first line of standard input, found none")
	case len(line) > maxPassword:
		return "", usageErrorf("expected a password of at most %d bytes, found more", maxPassword)
	}
	return auth.Secret(line), nil
}
