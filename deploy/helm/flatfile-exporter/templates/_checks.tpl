{{/* What the values' schema cannot say: ends with a message where settings do not go together. */}}
{{- define "flatfile-exporter.check" -}}
{{- $sources := 0 -}}
{{- if .Values.demo }}{{- $sources = add1 $sources }}{{ end -}}
{{- if .Values.accounts }}{{- $sources = add1 $sources }}{{ end -}}
{{- if .Values.existingConfig.secret }}{{- $sources = add1 $sources }}{{ end -}}
{{- if eq (int $sources) 0 -}}
{{- fail "no account: set accounts (docs/kubernetes.md shows how), or existingConfig.secret, or demo=true to look around without credentials" -}}
{{- else if gt (int $sources) 1 -}}
{{- fail "accounts, existingConfig.secret and demo exclude one another: keep one of them" -}}
{{- end -}}
{{- if and .Values.config (not .Values.accounts) -}}
{{- fail "config has an effect beside accounts only" -}}
{{- end -}}
{{- $names := dict -}}
{{- range .Values.accounts -}}
  {{- if hasKey $names .name -}}
    {{- fail (printf "accounts: the name %q is there twice" .name) -}}
  {{- end -}}
  {{- $_ := set $names .name true -}}
  {{- include "flatfile-exporter.checkAuth" . -}}
  {{- include "flatfile-exporter.checkProxy" (list (printf "the config of account %q" .name) (.config | default dict)) -}}
{{- end -}}
{{- include "flatfile-exporter.checkProxy" (list "config" .Values.config) -}}
{{- if and .Values.webConfig.tlsSecret (not .Values.webConfig.existingSecret) -}}
{{- fail "webConfig.tlsSecret needs webConfig.existingSecret: a web configuration file that names tls.crt and tls.key" -}}
{{- end -}}
{{- if and (eq .Values.webConfig.scheme "https") (not .Values.webConfig.existingSecret) -}}
{{- fail "webConfig.scheme https needs webConfig.existingSecret: without a web configuration file the exporter speaks plain HTTP" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor are both enabled: everything would be scraped twice" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.perAccount .Values.existingConfig.secret -}}
{{- fail "serviceMonitor.perAccount needs the names of the accounts, which are in existingConfig.secret: docs/kubernetes.md shows a ScrapeConfig that finds them" -}}
{{- end -}}
{{- if and .Values.storage.enabled (gt (int .Values.replicaCount) 1) -}}
{{- fail "storage needs replicaCount 1: two exporters must not write the same files" -}}
{{- end -}}
{{- end -}}

{{- define "flatfile-exporter.checkAuth" -}}
{{- $auth := .auth | default dict -}}
{{- $of := printf "accounts: the auth of %q" .name -}}
{{- if $auth.existingSecret -}}
  {{- if or $auth.clientSecret $auth.accessToken -}}
    {{- fail (printf "%s has an existingSecret and a credential beside it: keep one of them" $of) -}}
  {{- end -}}
  {{- if and $auth.accessTokenKey (or $auth.clientId $auth.clientIdKey $auth.clientSecretKey) -}}
    {{- fail (printf "%s has a key for an access token and something about a client: keep one kind of credentials" $of) -}}
  {{- end -}}
{{- else -}}
  {{- if or $auth.clientIdKey $auth.clientSecretKey $auth.accessTokenKey -}}
    {{- fail (printf "%s names a key, but no existingSecret that has it" $of) -}}
  {{- end -}}
  {{- if and $auth.accessToken (or $auth.clientId $auth.clientSecret) -}}
    {{- fail (printf "%s has two kinds of credentials: keep accessToken, or clientId with clientSecret" $of) -}}
  {{- end -}}
  {{- if not (or $auth.accessToken (and $auth.clientId $auth.clientSecret)) -}}
    {{- fail (printf "%s needs existingSecret, or clientId with clientSecret, or accessToken" $of) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* A proxy's password would stand in the ConfigMap. Takes a list of what to call the configuration, and it. */}}
{{- define "flatfile-exporter.checkProxy" -}}
{{- $requests := (index . 1).requests | default dict -}}
{{- if contains "@" (default "" $requests.proxy_url) -}}
{{- fail (printf "requests.proxy_url in %s holds a user or password, and would be readable in a ConfigMap: put the whole configuration into existingConfig.secret" (index . 0)) -}}
{{- end -}}
{{- end -}}
