// Package jvm installs and runs Java programs for the tests of what runs on the JVM: Kafka's own
// tools, Kafka Streams, Connect and MirrorMaker.
//
// A Cache is a directory outside the repository, kept between runs. Install compiles a Maven project
// into it and copies the jars that it needs; a project that did not change is not built again. pom.xml
// beside this file is the project of Apache Kafka itself, without sources. Nothing is downloaded but by
// Maven, as it is set up on the machine.
//
// Start runs a class as a process with its output in a file. Processes are ended by their own id, and
// end at the latest when Close is called. A Target is the broker that a test runs against: an agent of
// bin/varve on free ports in a directory of its own, or a broker that runs already (-bootstrap), which
// is how a test is tried on Apache Kafka.
//
// Failure: where Java or Maven is missing, Install returns ErrMissing with a sentence that says what
// to install. Exit turns it into one line, "not run", and exit status 3, so that nobody takes it for a
// pass; every other error is exit status 1.
package jvm
