{{/* What ServiceMonitor and PodMonitor have in common */}}

{{/* The endpoints: one for everything, or one for the exporter itself and one for each account */}}
{{- define "flatfile-exporter.endpoints" -}}
{{- if .Values.serviceMonitor.perAccount -}}
{{- include "flatfile-exporter.endpoint" (dict "root" . "path" "/metrics" "parameter" "only" "value" "exporter") }}
{{- $names := list -}}
{{- range .Values.accounts }}{{- $names = append $names .name }}{{ end -}}
{{- range .Values.demo | ternary (list "demo") $names }}
{{ include "flatfile-exporter.endpoint" (dict "root" $ "path" "/probe" "parameter" "target" "value" .) }}
{{- end }}
{{- else -}}
{{- include "flatfile-exporter.endpoint" (dict "root" . "path" "/metrics") }}
{{- end }}
{{- end -}}

{{/* One of them; takes a dict of root and path, and of parameter and value where there is one. */}}
{{- define "flatfile-exporter.endpoint" -}}
{{- $values := .root.Values.serviceMonitor -}}
- port: http
  path: {{ .path }}
  {{- if .parameter }}
  params:
    {{ .parameter }}:
      - {{ .value | quote }}
  {{- end }}
  scheme: {{ .root.Values.webConfig.scheme }}
  {{- with $values.tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.basicAuth }}
  basicAuth:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  interval: {{ $values.interval }}
  scrapeTimeout: {{ $values.scrapeTimeout }}
  {{- $own := list (dict "targetLabel" "job" "replacement" $values.jobName) }}
  {{- if eq .path "/probe" }}
  {{- $own = append $own (dict "sourceLabels" (list "__address__" "__param_target") "separator" "/" "targetLabel" "instance") }}
  {{- end }}
  relabelings:
    {{- include "flatfile-exporter.relabelings" (concat $own ($values.relabelings | default list)) | nindent 4 }}
  {{- with $values.metricRelabelings }}
  metricRelabelings:
    {{- include "flatfile-exporter.relabelings" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Relabelings, each with its action: the operator's CRD fills in the default, which Argo CD would then show as a difference. */}}
{{- define "flatfile-exporter.relabelings" -}}
{{- $whole := list -}}
{{- range . -}}
{{- $whole = append $whole (merge (dict) . (dict "action" "replace")) -}}
{{- end -}}
{{- toYaml $whole -}}
{{- end -}}

{{/* Metadata and common part of the spec; takes a list of root and kind. */}}
{{- define "flatfile-exporter.monitor" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.serviceMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ index $ 1 }}
metadata:
  name: {{ include "flatfile-exporter.fullname" $root }}
  namespace: {{ default (include "flatfile-exporter.namespace" $root) .namespace }}
  labels:
    {{- include "flatfile-exporter.labels" (list $root .labels) | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "flatfile-exporter.selectorLabels" $root | nindent 6 }}
  namespaceSelector:
    matchNames:
      - {{ include "flatfile-exporter.namespace" $root }}
  {{- with .extraSpec }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
