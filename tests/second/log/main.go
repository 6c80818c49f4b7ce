// A second implementation of the audit trail's log: Go's own transparency log opens our checkpoints and checks our
// proofs. Reads what tests/integration/test_log_by_go.py writes, and tells what held; ends with 1 at the first that
// does not.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type given struct {
	VKey        string   `json:"vkey"`
	Entries     []string `json:"entries"`
	Checkpoints []string `json:"checkpoints"`
	Inclusion   []struct {
		Index  int64    `json:"index"`
		Size   int64    `json:"size"`
		Hashes []string `json:"hashes"`
	} `json:"inclusion"`
	Consistency []struct {
		Old    int64    `json:"old"`
		New    int64    `json:"new"`
		Hashes []string `json:"hashes"`
	} `json:"consistency"`
}

func check(err error, what string, arguments ...interface{}) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", fmt.Sprintf(what, arguments...), err)
		os.Exit(1)
	}
}

func hashes(told []string) []tlog.Hash {
	var all []tlog.Hash
	for _, one := range told {
		data, err := hex.DecodeString(one)
		check(err, "hash")
		var hash tlog.Hash
		if len(data) != len(hash) {
			check(fmt.Errorf("%d bytes", len(data)), "hash")
		}
		copy(hash[:], data)
		all = append(all, hash)
	}
	return all
}

func main() {
	var told given
	check(json.NewDecoder(os.Stdin).Decode(&told), "input")
	verifier, err := note.NewVerifier(told.VKey)
	check(err, "vkey")

	// The tree over the entries, by Go's own reckoning.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for index, entry := range told.Entries {
		more, err := tlog.StoredHashes(int64(index), []byte(entry), reader)
		check(err, "entry %d", index)
		stored = append(stored, more...)
	}

	roots := map[int64]tlog.Hash{}
	for _, signed := range told.Checkpoints {
		opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
		check(err, "note")
		lines := strings.Split(opened.Text, "\n")
		if len(lines) != 4 || lines[0] != verifier.Name() {
			check(fmt.Errorf("%q", opened.Text), "checkpoint")
		}
		size, err := strconv.ParseInt(lines[1], 10, 64)
		check(err, "size")
		data, err := base64.StdEncoding.DecodeString(lines[2])
		check(err, "root")
		root, err := tlog.TreeHash(size, reader)
		check(err, "tree of %d", size)
		if string(data) != string(root[:]) {
			check(fmt.Errorf("is another one"), "root of %d", size)
		}
		roots[size] = root
	}
	for _, proof := range told.Inclusion {
		leaf := tlog.RecordHash([]byte(told.Entries[proof.Index]))
		err := tlog.CheckRecord(tlog.RecordProof(hashes(proof.Hashes)), proof.Size, roots[proof.Size], proof.Index, leaf)
		check(err, "inclusion of %d in %d", proof.Index, proof.Size)
	}
	for _, proof := range told.Consistency {
		path := tlog.TreeProof(hashes(proof.Hashes))
		err := tlog.CheckTree(path, proof.New, roots[proof.New], proof.Old, roots[proof.Old])
		check(err, "consistency of %d with %d", proof.New, proof.Old)
	}
	fmt.Printf("%d %d %d\n", len(roots), len(told.Inclusion), len(told.Consistency))
}
