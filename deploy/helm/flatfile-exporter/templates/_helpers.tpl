{{/* Names and labels */}}
{{- define "flatfile-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "flatfile-exporter.fullname" -}}
{{- $name := include "flatfile-exporter.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name with a suffix, within the 63 characters that a name may have; takes a list of root and suffix. */}}
{{- define "flatfile-exporter.suffixed" -}}
{{- $suffix := index . 1 -}}
{{- printf "%s-%s" (include "flatfile-exporter.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix -}}
{{- end -}}

{{- define "flatfile-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "flatfile-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "flatfile-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* All labels of an object; takes a list of root and the labels that the values give to this object. */}}
{{- define "flatfile-exporter.labels" -}}
{{- $root := index . 0 -}}
{{- $name := include "flatfile-exporter.name" $root -}}
{{- $about := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/component" "metrics"
  "app.kubernetes.io/part-of" $name
  "app.kubernetes.io/managed-by" $root.Release.Service
-}}
{{- $selected := include "flatfile-exporter.selectorLabels" $root | fromYaml -}}
{{- toYaml (merge $selected (deepCopy (index . 1 | default dict)) (deepCopy ($root.Values.commonLabels | default dict)) $about) -}}
{{- end -}}

{{- define "flatfile-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "flatfile-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "flatfile-exporter.image" -}}
{{- with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag -}}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* "true" where the chart makes the configuration file itself */}}
{{- define "flatfile-exporter.ownConfig" -}}
{{- if not (or .Values.demo .Values.existingConfig.secret) }}true{{ end -}}
{{- end -}}

{{/* A probe; takes a dict of root, path and times. */}}
{{- define "flatfile-exporter.probe" -}}
{{- $values := .root.Values -}}
{{- $handler := default (ternary "exec" "httpGet" (not (empty $values.webConfig.existingSecret))) $values.probes.handler -}}
{{- if eq $handler "exec" -}}
exec:
  command: [python, -m, exporter.cli.healthcheck, "--url={{ $values.webConfig.scheme }}://127.0.0.1:{{ $values.containerPort }}{{ .path }}"]
{{- else if eq $handler "tcpSocket" -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ upper $values.webConfig.scheme }}
{{- end }}
{{- with .times }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the Pod of `helm test`, which must not be taken for an exporter */}}
{{- define "flatfile-exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "flatfile-exporter.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}
