#!/bin/sh
# Run by LocalStack when it is ready.
awslocal s3 mb s3://varve
