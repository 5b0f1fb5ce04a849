#!/bin/bash
# shellcheck disable=SC2086  # lists of options
exec java -cp '/opt/kafka/libs/*' ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_OPTS:-} -Dlog4j.configuration=file:/etc/kafka/docker/tools-log4j.properties kafka.tools.ConsoleProducer "$@"
