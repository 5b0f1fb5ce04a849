{{- define "ctr.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}-ctr{{- end }}
{{- define "ctr.selector" -}}
app.kubernetes.io/name: ctr-pipeline
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "ctr.labels" -}}
{{ include "ctr.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "ctr.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end }}
{{- define "ctr.podSecurity" -}}
runAsNonRoot: true
seccompProfile: { type: RuntimeDefault }
{{- end }}
{{- define "ctr.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
{{- /* Checks that involve more than one value. */ -}}
{{- define "ctr.check" -}}
{{- if not .Values.kafka.bootstrapServers }}{{ fail "kafka.bootstrapServers is empty: name the brokers, host:port" }}{{ end }}
{{- if not .Values.clickhouse.url }}{{ fail "clickhouse.url is empty: name the HTTP interface of ClickHouse" }}{{ end }}
{{- $most := .Values.replicas }}{{ if .Values.autoscaling.enabled }}{{ $most = .Values.autoscaling.maxReplicas }}{{ end }}
{{- if gt (mul $most .Values.parallelism) (int64 .Values.kafka.partitions) }}
{{- fail (printf "%d instances of %d workers for %d partitions: some would be idle; fewer replicas or parallelism, or more kafka.partitions" (int64 $most) (int64 .Values.parallelism) (int64 .Values.kafka.partitions)) }}{{ end }}
{{- if and .Values.autoscaling.enabled (lt (int64 .Values.autoscaling.maxReplicas) (int64 .Values.replicas)) }}{{ fail "autoscaling.maxReplicas is below replicas" }}{{ end }}
{{- $stop := dig "ctr" "job" "shutdown-timeout-ms" 20000 .Values.config | int64 }}
{{- if lt (mul (sub (int64 .Values.terminationGracePeriodSeconds) 5) 1000) $stop }}
{{- fail (printf "terminationGracePeriodSeconds is %d: give at least 5 s more than ctr.job.shutdown-timeout-ms (%d ms), or a clean stop is cut short" (int64 .Values.terminationGracePeriodSeconds) $stop) }}{{ end }}
{{- range $path := list "ctr.job.parallelism" "ctr.job.instance-id" "kafka.bootstrap-servers" "kafka.group-id" "kafka.dlq-topic" "kafka.topics" "kafka.session-timeout-ms" "clickhouse.url" "clickhouse.database" "clickhouse.user" "clickhouse.password" "status.host" "status.port" "logging.directory" }}
{{- $at := $.Values.config }}{{ range $key := splitList "." $path }}{{ $at = ternary (get (ternary $at dict (kindIs "map" $at)) $key) "" (and (kindIs "map" $at) (hasKey (ternary $at dict (kindIs "map" $at)) $key)) }}{{ end }}
{{- if $at }}{{ fail (printf "config has %s: the chart sets it, from a value of its own" $path) }}{{ end }}
{{- end }}
{{- if and (eq .Values.setup.schema "configmap") (not .Values.setup.schemaConfigMap) }}{{ fail "setup.schema is configmap: name it in setup.schemaConfigMap" }}{{ end }}
{{- if and (ne .Values.setup.schema "none") (not .Values.setup.clickhouseHost) }}{{ fail "setup.schema needs setup.clickhouseHost" }}{{ end }}
{{- end }}
