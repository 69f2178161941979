// Package kafka holds the protocol's words as types: offsets, leader epochs, timestamps and topic
// ids, with the sentinel values the protocol gives them.
//
// Every other package speaks in these types, so that an offset is never mistaken for a byte position
// and a leader epoch never for a producer epoch. The package imports nothing of Varve.
//
// Not here: the record-batch view (kafka/record), the table of topic settings (kafka/settings), and
// the wire structs of requests and responses, which are franz-go's kmsg.
package kafka
