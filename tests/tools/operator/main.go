// Reads the resources of the Prometheus operator out of YAML documents, strictly, into the
// operator's own types: a key that it does not know, a wrong type or nothing to select is an error.
//
//	operator FILE
//
// Resources of other kinds are passed over. Prints the kind and name of each that it has read; with
// none at all it ends with 1, as with an error.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: operator FILE")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	found := false
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, err := one(document)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if name != "" {
			found = true
			fmt.Println(name)
		}
	}
	if !found {
		return errors.New("no resource of the operator's")
	}
	return nil
}

// one reads a document: its kind and name, nothing if it is not the operator's.
func one(document []byte) (string, error) {
	var kind struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return "", err
	}
	shown := kind.Kind + " " + kind.Metadata.Name
	var err error
	switch kind.Kind {
	case "PodMonitor":
		var monitor monitoring.PodMonitor
		err = strictly(document, &monitor)
		selector := monitor.Spec.Selector
		if err == nil && len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
			err = errors.New("it selects every pod")
		}
		if err == nil && len(monitor.Spec.PodMetricsEndpoints) == 0 {
			err = errors.New("it has no endpoint to scrape")
		}
	case "PrometheusRule":
		var rule monitoring.PrometheusRule
		err = strictly(document, &rule)
		if err == nil && len(rule.Spec.Groups) == 0 {
			err = errors.New("it has no rules")
		}
	default:
		return "", nil
	}
	return shown, err
}

// strictly takes no number for a text either, as the operator's own schema would not.
func strictly(document []byte, into any) error {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
