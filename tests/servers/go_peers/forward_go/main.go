// A sender of the forward protocol that is not ours, fluent-forward-go, as a process: `forward_go OPTIONS`.
//
// OPTIONS is JSON: port, mode, count, size (events in a chunk), ack, key, tls, ca, cert (certificate and key in one
// file), patience_s. It sends {"n": 0} to {"n": count - 1} with the tag "go.t". A chunk that failed is sent again on a
// new connection, for up to `patience_s`. It ends when every event was sent, or acked if it asks for that.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/client"
	"github.com/IBM/fluent-forward-go/fluent/protocol"
)

const tag = "go.t"

type options struct {
	Port     int     `json:"port"`
	Mode     string  `json:"mode"`
	Count    int     `json:"count"`
	Size     int     `json:"size"`
	Ack      bool    `json:"ack"`
	Key      string  `json:"key"`
	TLS      bool    `json:"tls"`
	CA       string  `json:"ca"`
	Cert     string  `json:"cert"`
	Patience float64 `json:"patience_s"`
}

// until calls `try` again and again until it succeeds or patience ends.
func (o options) until(try func() error) error {
	deadline := time.Now().Add(time.Duration(o.Patience * float64(time.Second)))
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (o options) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: "127.0.0.1"}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Cert)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func chunk(mode string, numbers []int) (protocol.ChunkEncoder, error) {
	entries := make(protocol.EntryList, 0, len(numbers))
	for _, n := range numbers {
		stamp := protocol.EventTime{Time: time.Unix(1700000000, int64(n))}
		entries = append(entries, protocol.EntryExt{Timestamp: stamp, Record: map[string]interface{}{"n": n}})
	}
	switch mode {
	case "message":
		message := protocol.NewMessage(tag, entries[0].Record)
		message.Timestamp = 1700000000
		return message, nil
	case "message-ext":
		message := protocol.NewMessageExt(tag, entries[0].Record)
		message.Timestamp = entries[0].Timestamp
		return message, nil
	case "forward":
		return protocol.NewForwardMessage(tag, entries), nil
	case "packed":
		return protocol.NewPackedForwardMessage(tag, entries)
	case "compressed":
		return protocol.NewCompressedPackedForwardMessage(tag, entries)
	}
	return nil, errors.New("no mode " + mode)
}

func (o options) send() error {
	factory := &client.ConnFactory{Address: fmt.Sprintf("127.0.0.1:%d", o.Port), Timeout: 10 * time.Second}
	if o.TLS {
		config, err := o.tlsConfig()
		if err != nil {
			return err
		}
		factory.TLSConfig = config
	}
	settings := client.ConnectionOptions{Factory: factory, RequireAck: o.Ack, ConnectionTimeout: 10 * time.Second}
	if o.Key != "" {
		settings.AuthInfo = client.AuthInfo{SharedKey: []byte(o.Key)}
	}
	sender := client.New(settings)
	sender.Hostname = "go"
	connected := false
	connect := func() error {
		if err := sender.Reconnect(); err != nil {
			return err
		}
		if o.Key != "" {
			if err := sender.Handshake(); err != nil {
				return err
			}
		}
		connected = true
		return nil
	}
	for n := 0; n < o.Count; n += o.Size {
		numbers := []int{}
		for one := n; one < min(n+o.Size, o.Count); one++ {
			numbers = append(numbers, one)
		}
		encoder, err := chunk(o.Mode, numbers)
		if err != nil {
			return err
		}
		err = o.until(func() error { // the same chunk, with the same id
			if !connected {
				if err := connect(); err != nil {
					return err
				}
			}
			err := sender.Send(encoder)
			connected = err == nil
			return err
		})
		if err != nil {
			return err
		}
	}
	return sender.Disconnect()
}

func run() error {
	wanted := options{Mode: "packed", Size: 1}
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		return err
	}
	return wanted.send()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
